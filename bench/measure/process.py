"""A process that answers requests: asked line by line, stopped, continued, ended.

Every wait has a limit, and `end` leaves no descendant behind.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import IO, Any, Self

import psutil

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


class Died(Exception):
    """The process is gone or does not answer and has to be ended; one sentence that says how."""


class Process:
    """One running process and the streams, memory and printed text that belong to it."""

    def __init__(
        self, pid: int, requests: IO[bytes], replies: IO[bytes], printed: IO[bytes],
        region: Region, timeout: float, wait: Wait,
    ) -> None:  # fmt: skip
        self.pid, self.region = pid, region
        self._requests, self._replies, self._printed = requests, replies, printed
        self._timeout, self._wait = timeout, wait
        self._selector = selectors.DefaultSelector()
        self._selector.register(replies, selectors.EVENT_READ)
        self._unread, self._printed_before = b"", 0

    @classmethod
    def start(
        cls, module: str, setup: Mapping[str, Any], env: Mapping[str, str], timeout: float,
        size: int, python: str = sys.executable,
        pass_fds: tuple[int, ...] = (), prefix: Sequence[str] = (),
    ) -> Self:  # fmt: skip
        """`python -m module SETUP` with a region of `size` bytes; `prefix` is a command that runs
        it. Raises `OSError`."""
        printed = tempfile.TemporaryFile()  # noqa: SIM115  # closed by end()
        region = Region.new(size)
        text = json.dumps({**setup, "region": region.descriptor})
        try:
            process = psutil.Popen(
                [*prefix, python, "-P", "-m", module, text],  # -P: PYTHONPATH comes first
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=printed,
                env=env, pass_fds=[region.descriptor, *pass_fds],
                start_new_session=True,  # Ctrl-C reaches the conductor alone
            )  # fmt: skip
        except OSError:
            printed.close()
            region.close()
            raise

        def wait(seconds: float) -> int | None:
            try:
                return int(process.wait(timeout=seconds))
            except psutil.TimeoutExpired:
                return None

        return cls(process.pid, process.stdin, process.stdout, printed, region, timeout, wait)

    def ask(self, do: str, **request: Any) -> dict[str, Any]:
        """Sends one request and waits for its reply, `timeout` seconds at most. Raises `Died`."""
        self.send(do, **request)
        return self.receive()

    def send(self, do: str, **request: Any) -> None:
        """Sends a request; `receive` has to follow. Raises `Died`."""
        self._printed_before = os.fstat(self._printed.fileno()).st_size
        if self._unread or self._selector.select(0):
            closed = not (self._unread or os.read(self._replies.fileno(), 1))
            unasked = "sent a reply without being asked, so its process was ended"
            raise Died(self._cause() if closed or self._wait(0) is not None else unasked)
        try:
            self._requests.write(json.dumps({"do": do, **request}).encode() + b"\n")
            self._requests.flush()
        except (BrokenPipeError, ConnectionResetError):
            raise Died(self._cause()) from None

    def receive(self) -> dict[str, Any]:
        """The reply to what was sent. Raises `Died`."""
        deadline = time.monotonic() + self._timeout
        while not self._unread.endswith(b"\n"):
            if not self._selector.select(max(0.0, deadline - time.monotonic())):
                limit = f"{self._timeout:g} s (BENCH_TIMEOUT)"
                raise Died(f"hung: no answer within {limit}, so its process was ended")
            if not (more := os.read(self._replies.fileno(), 1 << 20)):
                raise Died(self._cause())
            self._unread += more
            if len(self._unread) > LONGEST:
                raise Died(f"answers with more than {LONGEST} bytes, so its process was ended")
        line, self._unread = self._unread, b""
        try:
            reply = json.loads(line)
            if b"\\u" in line:
                reply = _printable(reply)
        except (ValueError, RecursionError):
            reply = None
        if not isinstance(reply, dict) or not isinstance(reply.get("status"), str):
            raise Died("sent a malformed reply, so its process was ended")
        return reply

    def stop(self) -> None:
        """Stops the process and its descendants; kills those that have left its process group."""
        for pid in self.descendants():
            with suppress(ProcessLookupError):
                if os.getpgid(pid) != self.pid:
                    os.kill(pid, signal.SIGKILL)
        self._signal(signal.SIGSTOP)
        deadline = time.monotonic() + STOPPING
        while not all_stopped((self.pid, *self.descendants())):
            if time.monotonic() > deadline:
                break
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
        self._selector.close()
        self.region.close()
        for stream in (self._requests, self._replies, self._printed):
            with suppress(BrokenPipeError):
                stream.close()

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
        found, waiting = [], [self.pid]
        while waiting:
            tasks = f"/proc/{waiting.pop()}/task"
            with suppress(OSError):  # it has just ended
                for task in os.listdir(tasks):
                    with suppress(OSError), open(f"{tasks}/{task}/children", "rb") as file:
                        children = [*map(int, file.read().split())]
                        found += children
                        waiting += children
        return found

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def all_stopped(pids: Iterable[int]) -> bool:
    return all(map(_stopped, pids))


def _stopped(pid: int) -> bool:
    """Whether every thread has stopped or ended."""
    tasks = f"/proc/{pid}/task"
    with suppress(OSError):
        for task in os.listdir(tasks):
            with suppress(OSError), open(f"{tasks}/{task}/stat", "rb") as file:
                if file.read().rpartition(b")")[2].split()[0] not in (b"T", b"t", b"Z", b"X"):
                    return False
    return True


def _printable(value: Any) -> Any:
    """A JSON value with control characters and half characters of its texts replaced."""
    if isinstance(value, str):
        return value.translate(UNPRINTABLE)
    if isinstance(value, list):
        return [_printable(item) for item in value]
    if isinstance(value, dict):
        return {_printable(name): _printable(item) for name, item in value.items()}
    return value
