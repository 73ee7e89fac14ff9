"""What a worker can be asked for: each method is a request, its arguments and its reply plain JSON values and arrays."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Any

from numpy.typing import NDArray

from backends.api import TrainStep
from bench.errors import Wrong
from bench.machine import devices
from bench.plan import discovery
from bench.schema.case import Case
from bench.worker import gate, isolation, profiling, visits

Reply = dict[str, Any]
Arrays = Sequence[NDArray[Any]]


class Requests:
    """The steps of one process; `bench.measure` asks."""

    def __init__(self, threads: int, unclosed: Sequence[str] = (), place: tuple[int, int] = (0, 1)) -> None:
        self.threads = threads
        self.rank, self.ranks = place
        """Of a step that several processes compute together; each opens, proves and runs it with its part of the batch."""
        self.unclosed = list(unclosed)
        """What this process, which runs foreign code, could not be kept from."""
        self.builds: dict[str, type[TrainStep]] = {}
        self.opened: dict[str, visits.Opened] = {}
        self.before: dict[str, Any] = {}

    def devices(self) -> Reply:
        return {"devices": devices.present()}

    def describe(self, path: str, devices: list[str]) -> Reply:
        return {"facts": discovery.describe(Path(path), devices)}

    def load(self, paths: list[str], libraries: list[str], cpus: list[int]) -> Reply:
        """Imports libraries, goes to the cores that steps are timed on, then imports backends' files.

        Of the cores a rank takes its own. Raises `Wrong` if a file changes process-wide state.
        """
        own = cpus[self.rank * self.threads : (self.rank + 1) * self.threads] if self.ranks > 1 else cpus
        for library in libraries:  # whatever a library sets when it is loaded is not the backend's doing
            with suppress(ImportError):  # a distribution's name need not be a module's
                importlib.import_module(library)
        for thread in os.listdir("/proc/self/task"):  # those that libraries have started; later ones inherit it
            with suppress(ProcessLookupError):
                os.sched_setaffinity(int(thread), own)
        self.before = isolation.snapshot()
        for path in paths:
            self.builds[path] = discovery.load(Path(path))
        return self.settle()

    def open(self, path: str, case: dict[str, Any], arrays: Arrays) -> Reply:
        """Times construction and first step. Raises `Wrong` for other threads than this process was given."""
        this = Case.from_json(case)
        problem = gate.problem_from(arrays, self.rank, self.ranks)
        start = perf_counter()
        step = self.builds[path](problem, this.device, this.dtype)
        float(step.step())
        step.synchronize()
        first_step_seconds = perf_counter() - start
        threads = isolation.thread_counts()
        if wrong := [f"{pool} uses {n}" for pool, n in threads.items() if n != self.threads]:
            raise Wrong(f"runs with other threads than asked for: {', '.join(wrong)}, asked for {self.threads}")
        self.opened[this.key] = visits.Opened(this, step)
        return {"first_step_seconds": first_step_seconds, "threads": threads, "marks": step.mark() is not None} | (
            {"unclosed": self.unclosed} if self.unclosed else {}
        )

    def prove(self, path: str, case: dict[str, Any], arrays: Arrays, calls: int) -> Reply:
        return {"arrays": gate.prove(self.builds[path], case["device"], case["dtype"], arrays, calls, self.rank, self.ranks)}

    def turns(self, path: str, case: dict[str, Any], arrays: Arrays, calls: int) -> Reply:
        return {
            "arrays": gate.take_turns(self.builds[path], case["device"], case["dtype"], arrays, calls, self.rank, self.ranks)
        }

    def put(self, key: str, arrays: Arrays) -> Reply:
        return visits.put(self.opened[key], arrays)

    def run(self, key: str, mode: str, calls: int) -> Reply:
        return visits.run(self.opened[key], mode, calls)

    def take(self, key: str) -> Reply:
        return visits.take(self.opened[key])

    def settle(self) -> Reply:
        """Raises `Wrong` if process-wide state is not what it was; what it is after an opening is what later visits leave."""
        after = isolation.snapshot()
        if changed := isolation.changes(self.before, after):
            raise Wrong(f"changes global state: {'; '.join(changed)}; leave the process as it was found")
        self.before = after
        return {}

    def profile(self, key: str, arrays: Arrays, calls: int) -> Reply:
        return profiling.profile(self.opened[key], arrays, calls)
