"""A process that answers requests: asked line by line, stopped, continued, ended.

Every wait has a limit, and `end` leaves no descendant behind.
"""

from __future__ import annotations

import itertools
import json
import os
import selectors
import signal
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Self

from bench.conversation import Reply
from bench.region import Region

ENDING = 10.0
"""Seconds that a process may take to end once it was killed or closed its streams."""
STOPPING = 0.1
"""Seconds to wait at most until every thread of a process has stopped."""
LONGEST = 1 << 22
"""Bytes of a reply; a description with its source takes some thousands."""
CONTROL_CHARACTERS = {*range(0x20), *range(0x7F, 0xA0), *range(0xD800, 0xE000)}
UNPRINTABLE = dict.fromkeys(CONTROL_CHARACTERS - set(map(ord, "\t\n\r\f")), "\ufffd")
Wait = Callable[[float], int | None]
"""Waits so many seconds for a process to end; its exit code, or None if it has not ended."""
Launch = Callable[[int, int, int, int], tuple[int, Wait]]
"""Starts a process with these descriptors: its requests, its replies, what it prints, its region."""
DIED = "died"


class Failed(Exception):
    """A request that came to nothing, or the case that it was about; a phrase that says why.

    `status` is that of the reply, or `DIED`: the process is gone or does not answer and has to be ended.
    """

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Process:
    """One running process and the streams, memory and printed text that belong to it."""

    def __init__(self, launch: Launch, timeout: float, size: int = 1 << 20) -> None:
        """With a region of `size` bytes; `timeout` is in seconds, for each reply. Raises `Failed`."""
        self._timeout, self._unread, self._printed_before = timeout, b"", 0
        self._code: int | None = None
        self.region, self._printed = Region.new(size), tempfile.TemporaryFile()  # noqa: SIM115
        (theirs, requests), (replies, written) = os.pipe(), os.pipe()
        self._requests, self._replies = os.fdopen(requests, "wb"), os.fdopen(replies, "rb")
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._replies, selectors.EVENT_READ)
        try:
            self.pid, self._ended = launch(theirs, written, self._printed.fileno(), self.region.descriptor)
        except Failed:
            self._close()
            raise
        finally:
            os.close(theirs)
            os.close(written)

    def ask(self, do: str, **request: Any) -> Reply:
        """Sends one request and waits for its reply. Raises `Failed` for any reply but `ok`."""
        self.send(do, **request)
        return self.receive()

    def copied(self, sender: Process, reply: Reply) -> Any:
        """The layout of the arrays in a reply of `sender`, which are in this region now. Raises `Failed`."""
        try:
            self.region.copy_from(sender.region, reply["arrays"])
        except (KeyError, TypeError, ValueError) as error:
            raise Failed("failed", f"answers with {error}") from None
        return reply["arrays"]

    def send(self, do: str, **request: Any) -> None:
        """Sends a request; `receive` has to follow. Raises `Failed`."""
        self._printed_before = os.fstat(self._printed.fileno()).st_size
        if self._unread or self._selector.select(0):
            closed = not (self._unread or os.read(self._replies.fileno(), 1))
            unasked = "sent a reply without being asked, so its process was ended"
            raise Failed(DIED, self._cause() if closed or self._wait(0) is not None else unasked)
        try:
            self._requests.write(json.dumps({"do": do, **request}).encode() + b"\n")
            self._requests.flush()
        except (BrokenPipeError, ConnectionResetError):
            raise Failed(DIED, self._cause()) from None

    def receive(self) -> Reply:
        """The reply to what was sent. Raises `Failed`."""
        reply = self._read_reply()
        if reply["status"] != "ok":
            raise Failed(reply["status"], str(reply.get("reason")))
        return reply

    def _read_reply(self) -> Reply:
        deadline = time.monotonic() + self._timeout
        while not self._unread.endswith(b"\n"):
            if not self._selector.select(max(0.0, deadline - time.monotonic())):
                limit = f"{self._timeout:g} s (BENCH_TIMEOUT)"
                raise Failed(DIED, f"hung: no answer within {limit}, so its process was ended")
            if not (more := os.read(self._replies.fileno(), 1 << 20)):
                raise Failed(DIED, self._cause())
            self._unread += more
            if len(self._unread) > LONGEST:
                raise Failed(DIED, f"answers with more than {LONGEST} bytes, so its process was ended")
        line, self._unread = self._unread, b""
        try:
            reply = json.loads(line)
            if b"\\u" in line:
                reply = _printable(reply)
        except (ValueError, RecursionError):
            reply = None
        if not isinstance(reply, dict) or not isinstance(reply.get("status"), str):
            raise Failed(DIED, "sent a malformed reply, so its process was ended")
        return reply

    def stop(self) -> None:
        """Stops the process and its descendants; kills those that have left its process group."""
        for pid in self.descendants():
            with suppress(ProcessLookupError):
                if os.getpgid(pid) != self.pid:
                    os.kill(pid, signal.SIGKILL)
        self._signal(signal.SIGSTOP)
        deadline = time.monotonic() + STOPPING
        while not all_stopped((self.pid, *self.descendants())) and time.monotonic() < deadline:
            time.sleep(50e-6)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def end(self) -> None:
        """Kills the process and its descendants."""
        descendants = self.descendants()
        self._signal(signal.SIGKILL)
        for pid in descendants:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._wait(ENDING)
        self._close()

    def _close(self) -> None:
        self._selector.close()
        self.region.close()
        for stream in (self._requests, self._replies, self._printed):
            with suppress(BrokenPipeError):
                stream.close()

    def _wait(self, seconds: float) -> int | None:
        if self._code is None:  # reaped only once
            self._code = self._ended(seconds)
        return self._code

    def _cause(self) -> str:
        code = self._wait(ENDING)
        if code is None:
            return "its process closed its streams without ending"
        if code > 128:  # as a process that started it reports a signal
            code = 128 - code
        if code < 0:
            name = signal.Signals(-code).name
            killed = ": the system was out of memory, or somebody killed it"
            return f"its process died of {name}{killed if name == 'SIGKILL' else ''}"
        self._printed.seek(self._printed_before)
        last = self._printed.read().decode(errors="replace").strip().splitlines()[-1:]
        return f"its process ended with exit code {code}{': ' + last[0] if last else ''}"

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)  # its session's process group has its pid

    def descendants(self) -> list[int]:
        """From the kernel's lists of each thread's children; empty where it has none."""
        found: list[int] = []
        for pid in itertools.chain([self.pid], found):  # which grows meanwhile
            found += [int(child) for children in _of_threads(pid, "children") for child in children.split()]
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def all_stopped(pids: Iterable[int]) -> bool:
    """Whether every thread of these processes has stopped or ended."""
    states = (stat.rpartition(b")")[2].split()[0] for pid in pids for stat in _of_threads(pid, "stat"))
    return all(state in (b"T", b"t", b"Z", b"X") for state in states)


def _of_threads(pid: int, name: str) -> list[bytes]:
    """What the kernel's file of this name says of each thread of a process."""
    found, tasks = [], f"/proc/{pid}/task"
    with suppress(OSError):  # it has just ended
        for task in os.listdir(tasks):
            with suppress(OSError), open(f"{tasks}/{task}/{name}", "rb") as file:
                found.append(file.read())
    return found


def _printable(value: Any) -> Any:
    """A JSON value with control characters and half characters of its texts replaced."""
    if isinstance(value, str):
        return value.translate(UNPRINTABLE)
    if isinstance(value, list):
        return [_printable(item) for item in value]
    if isinstance(value, dict):
        return {_printable(name): _printable(item) for name, item in value.items()}
    return value
