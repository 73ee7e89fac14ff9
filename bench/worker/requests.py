"""The requests of a worker: each method is one; it takes and returns JSON values and arrays."""

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
from bench.worker import gate, isolation, probe, profiling, visits

Reply = dict[str, Any]
Arrays = Sequence[NDArray[Any]]


class Requests:
    """One step; `bench.measure` asks."""

    build: type[TrainStep]
    loaded: visits.LoadedStep

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.before: dict[str, Any] = {}

    def devices(self) -> Reply:
        return {"devices": devices.present()}

    def probe(self, library: str) -> Reply:
        return probe.probe(library)

    def describe(self, path: str, devices: list[str]) -> Reply:
        return {"facts": discovery.describe(Path(path), devices)}

    def load(self, path: str, libraries: list[str], cpus: list[int]) -> Reply:
        """Imports libraries, moves to the cores that steps are timed on, imports the backend's file.

        Raises `Wrong` if the file changes process-wide state.
        """
        for library in libraries:  # what a library sets on import is not the backend's doing
            with suppress(ImportError):  # a distribution's name need not be a module's
                importlib.import_module(library)
        for thread in os.listdir("/proc/self/task"):  # later threads inherit the affinity
            with suppress(ProcessLookupError):
                os.sched_setaffinity(int(thread), cpus)
        self.before = isolation.snapshot()
        self.build = discovery.load(Path(path))
        return self.settle()

    def open(self, case: dict[str, Any], problem: dict[str, Any], arrays: Arrays) -> Reply:
        """Times construction and first step.

        Raises `Wrong` for other thread counts than asked, and for a step that was not compiled.
        """
        this = Case.from_json(case)
        given = gate.problem_from(arrays, problem)
        start = perf_counter()
        step = self.build(given, this.device, this.dtype)
        gate.fetch(step.step())
        step.synchronize()
        first_step_seconds = perf_counter() - start
        if not step.is_compiled():
            raise Wrong(
                "is not compiled, because its compiler is switched off; unset the variable that does "
                "it, such as those that `python -m bench doctor` lists"
            )
        threads = isolation.thread_counts()
        asked = self.threads
        if wrong := [f"{pool} uses {n}" for pool, n in threads.items() if n != asked]:
            found = ", ".join(wrong)
            raise Wrong(f"runs with other threads than asked for: {found}, asked for {asked}")
        self.loaded = visits.LoadedStep(this, step, problem["state"])
        self.place = self.build, this.device, this.dtype
        marks = step.mark() is not None
        return {"first_step_seconds": first_step_seconds, "threads": threads, "marks": marks}

    def prove(self, arrays: Arrays, problem: dict[str, Any], calls: int) -> Reply:
        return {"arrays": gate.prove(*self.place, arrays, problem, calls)}

    def turns(self, arrays: Arrays, problem: dict[str, Any], calls: int) -> Reply:
        return {"arrays": gate.take_turns(*self.place, arrays, problem, calls)}

    def put(self, arrays: Arrays) -> Reply:
        return visits.put(self.loaded, arrays)

    def run(self, mode: str, calls: int) -> Reply:
        return visits.run(self.loaded, mode, calls)

    def take(self) -> Reply:
        return visits.take(self.loaded)

    def settle(self) -> Reply:
        """Raises `Wrong` if process-wide state changed since the last call."""
        after = isolation.snapshot()
        if changed := isolation.changes(self.before, after):
            what, advice = "; ".join(changed), "leave the process as it was found"
            raise Wrong(f"changes global state: {what}; {advice}")
        self.before = after
        return {}

    def profile(self, arrays: Arrays, calls: int) -> Reply:
        return profiling.profile(self.loaded, arrays, calls)
