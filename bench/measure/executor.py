"""Starts the processes of a run: a judge, a fork server per pass and set of libraries, a worker per
case and pass."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Self

import psutil

from bench.conversation import Reply
from bench.errors import UsageError
from bench.machine import resources
from bench.machine.devices import is_accelerator
from bench.machine.environment import worker_environment
from bench.measure.process import DIED, Failed, Launch, Process, Wait
from bench.plan.cases import Plan
from bench.plan.sides import Side
from bench.schema.case import Case
from bench.settings import Settings

MEMORY_SHARE = 0.8
"""Of the memory available at the start, what a CPU worker may take before its allocations fail."""
DAY = 86_400.0
"""Seconds that the judge may take: its time depends on the shapes, and it runs no foreign code."""


def module_launch(
    module: str, setup: Mapping[str, Any], env: Mapping[str, str], python: str = sys.executable,
    prefix: Sequence[str] = (), pass_fds: Sequence[int] = (),
) -> Launch:  # fmt: skip
    """Launches `python -m module SETUP`; `prefix` is a command that runs it."""

    def launch(requests: int, replies: int, printed: int, region: int) -> tuple[int, Wait]:
        text = json.dumps({**setup, "region": region})
        try:
            process = psutil.Popen(
                [*prefix, python, "-P", "-m", module, text],  # -P: PYTHONPATH comes first
                stdin=requests, stdout=replies, stderr=printed, env=env, pass_fds=[region, *pass_fds],
                start_new_session=True,  # Ctrl-C reaches the conductor alone
            )  # fmt: skip
        except OSError as error:
            raise Failed(DIED, f"cannot be started: {error.strerror}") from None

        def wait(seconds: float) -> int | None:
            try:
                return int(process.wait(timeout=seconds))
            except psutil.TimeoutExpired:
                return None

        return process.pid, wait

    return launch


def worker_launch(
    settings: Settings, side: Side, threads: int = 1, cpus: Sequence[int] = (), memory: int | None = None,
    socket: int | None = None, **options: Any,
) -> Launch:  # fmt: skip
    """Launches a fresh interpreter of a side; with a `socket` it is a fork server.

    `memory`: bytes after which allocations fail. `options` are those of `module_launch`.
    """
    env = worker_environment(threads, os.environ | side.variables, side.folder)
    setup = {"threads": threads, "cpus": [*cpus], "memory": memory, "socket": socket}
    return module_launch("bench.worker", setup, env, side.python, **options)


class Judge(Process):
    """Without it nothing can be proven, so its failure ends the run."""

    def ask(self, do: str, **request: Any) -> Reply:
        """Raises `Failed` for arrays of a worker that are wrong, and else `UsageError`."""
        try:
            return super().ask(do, **request)
        except Failed as failed:
            if "arrays" in request and failed.status != DIED:
                raise
            if failed.status == "usage":
                raise UsageError(str(failed)) from None
            raise UsageError(f"the judge's process: {failed}; what was measured so far is kept, run again.") from None


class ForkServer(Process):
    """A fresh interpreter that has loaded libraries, computes nothing, and forks a worker per case.

    A fork takes 5 to 13 ms, an import of torch more than a second. No thread pool and no device context
    exists before the fork: libraries create them when they first compute.
    """

    def __init__(self, settings: Settings, side: Side, libraries: Sequence[str], **limits: Any) -> None:
        """Starts to load the libraries, and returns at once. Raises `Failed`."""
        self._socket, theirs = socket.socketpair()
        self._loading = True
        self._failed: Failed | None = None
        with theirs:
            number = theirs.fileno()
            super().__init__(worker_launch(settings, side, socket=number, pass_fds=(number,), **limits), settings.timeout)
        self.send("preload", libraries=[*libraries])

    def fork(self, size: int) -> Process:
        """A child with streams and a region of `size` bytes of its own, once the libraries are loaded. Raises `Failed`,
        for all children alike if they cannot be loaded."""
        if self._loading:
            self._loading = False
            try:
                self.receive()
            except Failed as failed:
                self._failed = failed
                self._signal(signal.SIGKILL)  # it may hang
        if self._failed:
            raise self._failed
        return Process(self._launch, self._timeout, size)

    def _launch(self, *descriptors: int) -> tuple[int, Wait]:
        self.send("fork")  # says how the server died, if it has
        try:
            socket.send_fds(self._socket, [b"\0"], descriptors)
        except OSError as error:
            raise Failed(DIED, str(error)) from None
        pid = int(self.receive()["pid"])

        def wait(seconds: float) -> int | None:
            deadline = time.monotonic() + seconds
            try:
                while (code := self.ask("reap", pid=pid)["code"]) is None and time.monotonic() < deadline:
                    time.sleep(1e-3)
            except (Failed, ValueError):  # ValueError: `end` closed its streams
                return -signal.SIGKILL  # the kernel kills children whose server has ended
            return None if code is None else int(code)

        return pid, wait

    def _close(self) -> None:
        super()._close()
        self._socket.close()


class Processes:
    """The executor of a run; as a context it has a judge, and keeps this process off the workers' cores."""

    judge: Judge

    def __init__(self, plan: Plan, size: int) -> None:
        """`size`: bytes of the region that a worker shares with this process."""
        self._plan, self._size = plan, size
        self._allowed = os.sched_getaffinity(0)
        self._cores = resources.cores()
        self._memory = int(MEMORY_SHARE * resources.available_memory())
        self._servers: dict[Any, ForkServer] = {}
        """By what `_place` says of their cases."""
        self._workers: dict[str, Process] = {}
        """Of the current pass, by case key."""

    def __enter__(self) -> Self:
        settings = self._plan.settings
        most = max((case.threads for case in self._plan.cases), default=1)
        if rest := self._allowed.difference(*self._cores[-most:]):
            os.sched_setaffinity(0, rest)
        setup = {"seed": settings.seed, "problem": str(settings.problem_folder)}
        env = worker_environment(1)
        self.judge = Judge(module_launch("bench.judge.requests", setup, env), DAY, self._size)
        return self

    def __exit__(self, *_: object) -> None:
        self.end_pass()
        self.judge.end()
        os.sched_setaffinity(0, self._allowed)

    def cpus(self, case: Case) -> list[int]:
        """Where the case is timed: on the last cores, for interrupts tend to go to the first."""
        return [core[0] for core in self._cores[-case.threads :]]

    def begin_pass(self, cases: Iterable[Case]) -> None:
        """Starts to load the libraries of these cases; returns at once."""
        for case in cases:
            with suppress(Failed):  # `worker` starts it again, and says why it cannot be started
                self._server(case)

    def _server(self, case: Case) -> ForkServer:
        if (place := self._place(case)) not in self._servers:
            _, threads, memory, libraries = place
            limits = {"threads": threads, "memory": memory, "cpus": [cpu for core in self._cores for cpu in core]}
            self._servers[place] = ForkServer(self._plan.settings, self._plan.side(case), libraries, **limits)
        return self._servers[place]

    def worker(self, case: Case) -> Process:
        """A process of its own for a case. Raises `Failed`."""
        worker = self._workers[case.key] = self._server(case).fork(self._size)
        return worker

    def end_worker(self, case: Case) -> None:
        """Ends the worker of a case, if it has one."""
        if case.key in self._workers:
            self._workers.pop(case.key).end()

    def end_pass(self) -> None:
        """Ends all workers, and what `begin_pass` started."""
        for processes in (self._workers, self._servers):
            while processes:
                processes.popitem()[1].end()

    def _place(self, case: Case) -> tuple[str, int, int | None, tuple[str, ...]]:
        """Side, threads, memory and libraries: what the cases of a fork server share."""
        memory = None if is_accelerator(case.device) else self._memory
        return case.side, case.threads, memory, self._plan.backend(case).libraries
