"""A fresh interpreter that has loaded libraries, computes nothing, and forks a worker per case.

A fork takes 5 to 13 ms, an import of torch more than a second. No thread pool and no device context
exists before the fork: libraries create them when they first compute.
"""

from __future__ import annotations

import os
import signal
import socket
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

from bench.measure.process import Died, Process
from bench.region import Region


class ForkServer:
    """It starts at once, or raises `OSError`; `ready` has to be called before `fork`."""

    def __init__(
        self, start: Callable[..., Process], timeout: float, libraries: Sequence[str]
    ) -> None:
        """`start` takes the socket's descriptor and what `Process.start` passes on."""
        self._timeout = timeout
        self._socket, theirs = socket.socketpair()
        try:
            self._process = start(socket=theirs.fileno(), pass_fds=(theirs.fileno(),))
        except OSError:
            self._socket.close()
            raise
        finally:
            theirs.close()
        self._process.send("preload", libraries=list(libraries))
        self._loading = True

    def ready(self) -> None:
        """Waits until the libraries are loaded. Raises `Died`."""
        if self._loading:
            self._loading = False
            _checked(self._process.receive())

    def fork(self, size: int) -> Process:
        """A child with streams and a region of `size` bytes of its own. Raises `Died`."""
        region, printed = Region.new(size), tempfile.TemporaryFile()  # noqa: SIM115
        (requests_in, requests_out), (replies_in, replies_out) = os.pipe(), os.pipe()
        theirs = (requests_in, replies_out, printed.fileno(), region.descriptor)
        requests, replies = os.fdopen(requests_out, "wb"), os.fdopen(replies_in, "rb")
        try:
            self._process.send("fork")  # says how the server died, if it has
            socket.send_fds(self._socket, [b"\0"], theirs)
            pid = int(_checked(self._process.receive())["pid"])
        except (OSError, Died) as error:
            for stream in (requests, replies, printed, region):
                stream.close()
            raise error if isinstance(error, Died) else Died(str(error)) from None
        finally:
            os.close(requests_in)
            os.close(replies_out)

        ended: int | None = None

        def wait(seconds: float) -> int | None:
            nonlocal ended
            ended = self._reap(pid, seconds) if ended is None else ended  # reaped only once
            return ended

        return Process(pid, requests, replies, printed, region, self._timeout, wait)

    def _reap(self, pid: int, seconds: float) -> int | None:
        """The exit code of a child, asked for in parts to which the server replies in time."""
        part = self._timeout / 2
        try:
            while True:
                code = self._process.ask("reap", pid=pid, seconds=min(seconds, part))["code"]
                seconds -= part
                if code is not None or seconds <= 0:
                    return None if code is None else int(code)
        except (Died, ValueError):  # ValueError: `end` closed its streams
            return -signal.SIGKILL  # the kernel kills children whose server has ended

    def end(self) -> None:
        self._process.end()
        self._socket.close()


def _checked(reply: dict[str, Any]) -> dict[str, Any]:
    if reply["status"] != "ok":
        raise Died(str(reply.get("reason")))
    return reply
