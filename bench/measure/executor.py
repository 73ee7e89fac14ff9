"""Starts the processes of a run: a judge, a fork server per pass and set of libraries, a worker per
case and pass."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench.machine import resources
from bench.machine.devices import is_accelerator
from bench.machine.variables import worker_environment
from bench.measure.asking import CaseFailed
from bench.measure.fork_server import ForkServer
from bench.measure.process import Died, Process
from bench.plan.cases import Plan
from bench.plan.sides import Side
from bench.schema.case import Case
from bench.settings import Settings

MEMORY_SHARE = 0.8
"""Of the memory available at the start, what a CPU worker may take before its allocations fail."""
DAY = 86_400.0
"""Seconds that the judge may take: its time depends on the shapes, and it runs no foreign code."""


@dataclass(frozen=True)
class WorkerSpec:
    """What a worker, or the fork server of some workers, starts with."""

    side: Side
    threads: int = 1
    cpus: Sequence[int] = ()
    memory: int | None = None
    """Bytes after which allocations fail."""

    def environment(self, settings: Settings) -> dict[str, str]:
        environ = os.environ | self.side.variables
        return worker_environment(self.threads, settings.allocator, environ, self.side.folder)

    def start(
        self, settings: Settings, size: int = 1 << 20, kind: type[Process] = Process,
        socket: int | None = None, **options: Any,
    ) -> Process:  # fmt: skip
        """A fresh interpreter with a region of `size` bytes; with a `socket` it is a fork server.

        `options` are those of `Process.start`. Raises `OSError`.
        """
        limits = {"threads": self.threads, "cpus": list(self.cpus), "memory": self.memory}
        setup, env = {**limits, "socket": socket}, self.environment(settings)
        place = setup, env, settings.timeout, size, self.side.python
        return kind.start("bench.worker", *place, **options)

    def start_fork_server(self, settings: Settings, libraries: Sequence[str]) -> ForkServer:
        """Raises `OSError`."""
        return ForkServer(partial(self.start, settings), settings.timeout, libraries)


class Processes:
    """The executor of a run; as a context it keeps this process off the workers' cores."""

    def __init__(self, plan: Plan, size: int) -> None:
        """`size`: bytes of the region that a worker shares with this process."""
        self._plan, self._size = plan, size
        self._allowed = os.sched_getaffinity(0)
        self._cores = resources.cores()
        self._memory = int(MEMORY_SHARE * resources.available_memory())
        self._servers: dict[Any, ForkServer | str] = {}
        """By side, threads, kind of device and libraries; a sentence for one that failed."""
        self._judge: Process | None = None

    def __enter__(self) -> Processes:
        most = max((case.threads for case in self._plan.cases), default=1)
        if rest := self._allowed.difference(*self._cores[-most:]):
            os.sched_setaffinity(0, rest)
        return self

    def __exit__(self, *_: object) -> None:
        self.end_pass()
        if self._judge:
            self._judge.end()
        os.sched_setaffinity(0, self._allowed)

    def judge(self) -> Process:
        settings = self._plan.settings
        env = worker_environment(1, settings.allocator)
        setup = {"seed": settings.seed, "problem": str(settings.problem_folder)}
        self._judge = Process.start("bench.judge", setup, env, DAY, self._size)
        return self._judge

    def cpus(self, case: Case) -> list[int]:
        """Where the case is timed: on the last cores, for interrupts tend to go to the first."""
        return [core[0] for core in self._cores[-case.threads :]]

    def begin_pass(self, cases: Iterable[Case]) -> None:
        """Starts to load the libraries of these cases; returns at once."""
        for case in cases:
            place = self._place(case)
            if place in self._servers:
                continue
            spec, libraries = self._spec(case), self._plan.backend(case).libraries
            try:
                self._servers[place] = spec.start_fork_server(self._plan.settings, libraries)
            except OSError as error:
                self._servers[place] = f"cannot be started: {error.strerror}"

    def worker(self, case: Case) -> Process:
        """A process of its own for a case. Raises `CaseFailed`."""
        server = self._loaded(self._place(case))
        try:
            if isinstance(server, str):
                raise Died(server)
            return server.fork(self._size)
        except Died as died:
            raise CaseFailed("failed", str(died)) from None

    def _loaded(self, place: tuple[Any, ...]) -> ForkServer | str:
        """The fork server of a place, or why it is none: then all its cases fail alike."""
        server = self._servers[place]
        if isinstance(server, ForkServer):
            try:
                server.ready()
            except Died as died:
                server.end()
                server = self._servers[place] = str(died)
        return server

    def end_pass(self) -> None:
        """Ends what `begin_pass` started; workers have been ended."""
        while self._servers:
            server = self._servers.popitem()[1]
            if isinstance(server, ForkServer):
                server.end()

    def _place(self, case: Case) -> tuple[Any, ...]:
        libraries = self._plan.backend(case).libraries
        return case.side, case.threads, is_accelerator(case.device), libraries

    def _spec(self, case: Case) -> WorkerSpec:
        """Libraries load on every core."""
        anywhere = [cpu for core in self._cores for cpu in core]
        memory = None if is_accelerator(case.device) else self._memory
        return WorkerSpec(self._plan.side(case), case.threads, anywhere, memory)
