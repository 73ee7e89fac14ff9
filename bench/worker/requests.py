"""What a worker can be asked for: each method is a request, its arguments and its reply plain JSON values."""

from __future__ import annotations

import importlib
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any

from bench.errors import Wrong
from bench.machine import devices
from bench.plan import discovery
from bench.schema.case import Case
from bench.worker import gate, isolation, profiling, visits


class Requests:
    """The steps of one process; `bench.measure.conductor` and `bench.measure.catalogue` ask."""

    def __init__(self, seed: int, threads: int) -> None:
        self.seed, self.threads = seed, threads
        self.opened: dict[str, visits.Opened] = {}
        self.before: dict[str, Any] = {}

    def devices(self) -> dict[str, Any]:
        return {"devices": devices.present()}

    def describe(self, path: str, devices: list[str]) -> dict[str, Any]:
        return {"facts": discovery.describe(Path(path), devices)}

    def open(
        self, path: str, libraries: list[str], case: dict[str, Any], proven: bool, proof_seed: int, elsewhere: bool
    ) -> dict[str, Any]:
        """Imports, then times the first step (construction included), then proves the step as `gate.prove` does."""
        this = Case.from_json(case)
        for library in libraries:  # whatever a library sets when it is loaded is not the backend's doing
            with suppress(ImportError):  # a distribution's name need not be a module's
                importlib.import_module(library)
        before = isolation.snapshot()
        build = discovery.load(Path(path))
        problem = this.problem(self.seed)  # its own copy: no step may reach another's data
        start = perf_counter()
        step = build(problem, this.device, this.dtype)
        float(step.step())
        step.synchronize()
        first_step_seconds = perf_counter() - start
        threads = isolation.thread_counts()
        if wrong := [f"{pool} uses {n}" for pool, n in threads.items() if n != self.threads]:
            raise Wrong(f"runs with other threads than asked for: {', '.join(wrong)}, asked for {self.threads}")
        errors = gate.prove(build, this.device, this.dtype, this.shape, proof_seed, before, elsewhere) if proven else None
        self.opened[this.key] = visits.Opened(this, step, proven)
        self.before = isolation.snapshot()
        return {
            "first_step_seconds": first_step_seconds,
            "errors": asdict(errors) if errors else None,
            "threads": threads,
        }

    def visit(self, key: str, seed: int, steps: int) -> dict[str, Any]:
        reply = visits.visit(self.opened[key], self.seed, seed, steps)
        if changed := isolation.changes(self.before, isolation.snapshot()):
            raise Wrong(f"changes global state: {'; '.join(changed)}; leave the process as it was found")
        return reply

    def profile(self, key: str) -> dict[str, Any]:
        return profiling.profile(self.opened[key], self.seed)
