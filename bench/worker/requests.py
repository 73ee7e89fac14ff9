"""The requests of a worker: each method is one; it takes and returns JSON values and arrays.

The worker does not check that a step is correct. A round is `put`, `run` and `take`, and only the step runs between
the two ends of `run`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any, SupportsFloat

from backends.api import TrainStep
from bench.conversation import Reply
from bench.errors import Wrong
from bench.machine import devices
from bench.plan import discovery
from bench.schema.case import Case
from bench.worker import gate, profiling, timing
from bench.worker.gate import Arrays


class Requests:
    """One step; `bench.measure` asks."""

    build: type[TrainStep]
    case: Case
    step: TrainStep
    names: Sequence[str]
    """Of the state's arrays."""
    losses: Sequence[SupportsFloat] = ()
    """Of the latest calls; `take` fetches them."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.before: dict[str, Any] = {}

    def devices(self) -> Reply:
        return {"devices": devices.present()}

    def describe(self, path: str, devices: list[str]) -> Reply:
        return {"facts": discovery.describe(Path(path), devices)}

    def load(self, path: str, cpus: list[int]) -> Reply:
        """Moves to the cores that steps are timed on, and imports the backend's file.

        Raises `Wrong` if the file changes process-wide state.
        """
        for thread in os.listdir("/proc/self/task"):  # later threads inherit the affinity
            with suppress(ProcessLookupError):
                os.sched_setaffinity(int(thread), cpus)
        self.before = gate.snapshot()
        self.build = discovery.load(Path(path))
        return self.settle()

    def open(self, case: dict[str, Any], problem: dict[str, Any], arrays: Arrays) -> Reply:
        """Times construction and first step.

        Raises `Wrong` for other thread counts than asked, and for a step that was not compiled.
        """
        self.case, self.names = Case.from_json(case), problem["state"]
        given = gate.problem_from(arrays, problem)
        self.place = self.build, self.case.device, self.case.dtype
        start = perf_counter()
        step = self.step = self.build(given, self.case.device, self.case.dtype)
        gate.fetch(step.step())
        step.synchronize()
        first_step_seconds = perf_counter() - start
        if not step.is_compiled():
            doing = "unset the variable that does it, such as those that `python -m bench doctor` lists"
            raise Wrong(f"is not compiled, because its compiler is switched off; {doing}")
        threads = gate.thread_counts()
        if wrong := ", ".join(f"{pool} uses {count}" for pool, count in threads.items() if count != self.threads):
            raise Wrong(f"runs with other threads than asked for: {wrong}, asked for {self.threads}")
        return {"first_step_seconds": first_step_seconds, "threads": threads, "marks": step.mark() is not None}

    def prove(self, arrays: Arrays, problem: dict[str, Any], calls: int) -> Reply:
        return {"arrays": gate.prove(*self.place, arrays, problem, calls)}

    def turns(self, arrays: Arrays, problem: dict[str, Any], calls: int) -> Reply:
        return {"arrays": gate.take_turns(*self.place, arrays, problem, calls)}

    def put(self, arrays: Arrays) -> Reply:
        self.step.set_state(*arrays)
        self.step.synchronize()
        return {}

    def run(self, mode: str, calls: int) -> Reply:
        """Seconds of a round by this process's clock; by the device's clock in the mode `device`."""
        if mode == "throughput":
            # a clock that is read between launches would add to what an accelerator waits for
            each = not devices.is_accelerator(self.case.device)
            ran = timing.throughput(self.step, calls, each)
            self.losses = [ran.loss]
            queued, own = ran.readings[-1] - ran.readings[0], _between(ran.readings) if each else None
            return {"seconds": ran.seconds, "queued": queued, "calls": own, "minor_faults": ran.faults}
        if mode == "latency":
            readings, self.losses = timing.latency(self.step, calls)
            return {"seconds": readings[-1] - readings[0], "calls": _between(readings)}
        seconds, loss = timing.device(self.step, calls)
        self.losses = [loss]
        return {"seconds": seconds}

    def take(self) -> Reply:
        """Losses and state."""
        return {"arrays": gate.hand_out(self.step, self.losses, self.case.dtype, self.names)}

    def settle(self) -> Reply:
        """Raises `Wrong` if process-wide state changed since the last call."""
        after = gate.snapshot()
        if changed := "; ".join(gate.changes(self.before, after)):
            raise Wrong(f"changes global state: {changed}; leave the process as it was found")
        self.before = after
        return {}

    def profile(self) -> Reply:
        return profiling.profile(self.step, self.case.device)


def _between(readings: Sequence[float]) -> list[float]:
    """Seconds of each call, to the nanosecond that the clock counts."""
    return [round(after - before, 9) for before, after in pairwise(readings)]
