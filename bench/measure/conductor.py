"""Leads the workers through passes and blocks, and yields a record of everything that happens, as it happens.

It must never compute with what was measured, and never run while a worker does: it keeps off the workers' cores, and
of the workers only the one being visited may run.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from bench.machine import devices, environment, gpu, resources
from bench.measure.process import Died, WorkerProcess
from bench.plan.cases import Case, Plan

Record = dict[str, Any]
MEMORY_SHARE = 0.8
"""Of the memory available at the start, what one CPU worker may take before its allocations fail."""


def measure(plan: Plan, *, controls: bool = True) -> Iterator[Record]:
    """Runs the plan. Closing the generator, or an exception in whoever consumes it, ends every worker."""
    conductor = _Conductor(plan, (*plan.cases, *plan.controls) if controls else plan.cases)
    with _off_cores(conductor.cores[-max((case.threads for case in plan.cases), default=1) :]):
        try:
            yield from conductor.run()
        finally:
            conductor.end_all()


def prove(plan: Plan) -> dict[str, Record]:
    """Proves every case once and times none: case key → its `open` or `failure` record."""
    once = replace(plan, settings=replace(plan.settings, processes=1, blocks=0))
    return {record["case"]: record for record in measure(once, controls=False) if "case" in record}


@contextmanager
def _off_cores(cores: list[list[int]]) -> Iterator[None]:
    """Keeps this process off the workers' cores, hyperthreads included, where there are others."""
    allowed = os.sched_getaffinity(0)
    if rest := allowed.difference(*cores):
        os.sched_setaffinity(0, rest)
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


class _Conductor:
    def __init__(self, plan: Plan, cases: tuple[Case, ...]) -> None:
        self.plan, self.settings = plan, plan.settings
        self.groups: dict[str, list[Case]] = {}
        for case in cases:
            self.groups.setdefault(plan.group(case), []).append(case)
        self.workers: dict[str, WorkerProcess] = {}
        self.failed: set[str] = set()
        self.cores = resources.cores()  # before this process leaves the workers' ones
        self.memory = int(MEMORY_SHARE * resources.available_memory())
        self.started = time.monotonic()

    def run(self) -> Iterator[Record]:
        for number in range(self.settings.processes):
            yield self._record("pass", number, **environment.load())
            order = random.Random(f"{self.settings.seed} {number}")
            for group in order.sample(list(self.groups), len(self.groups)):
                yield from self._start(group, number, order)
            for block in range(self.settings.blocks):
                cases = [case for group in self.groups.values() for case in group]
                for position, case in enumerate(order.sample(cases, len(cases))):
                    if case.key not in self.failed:
                        yield from self._visit(case, number, block, position, order)
                yield self._record("block", number, block=block, gpus=gpu.gpus())
            if number == 0 and self.settings.blocks:
                yield from self._profiles(number)
            self.end_all()
            if all(case.key in self.failed for case in self.plan.cases):
                break
        yield self._record("end", number)

    def end_all(self) -> None:
        while self.workers:
            self.workers.popitem()[1].end()

    def _start(self, group: str, number: int, order: random.Random) -> Iterator[Record]:
        """A fresh process with every case of the group opened and proven, suspended; again without a case that fails."""
        while cases := [case for case in self.groups[group] if case.key not in self.failed]:
            threads = cases[0].threads
            # All workers share one set of cores, the last ones: the first is where interrupts tend to go.
            cpus = [core[0] for core in self.cores[-threads:]]
            memory = self.memory if devices.kind_of(cases[0].device).limited else None
            worker = WorkerProcess.on(self.plan.side(cases[0]), self.settings, threads, cpus, memory)
            self.workers[group] = worker
            for case in order.sample(cases, len(cases)):
                backend = self.plan.backend(case)
                try:
                    reply = worker.ask(
                        "open",
                        path=backend.path,
                        libraries=list(backend.libraries),
                        case=case.as_json(),
                        proven=backend.proven,
                        proof_seed=self._seed(number, 0, "proof"),
                        elsewhere=number == 0,
                    )
                except Died as died:
                    reply = {"status": "failed", "reason": str(died)}
                if reply["status"] != "ok":
                    yield self._failure(case, reply, f"in pass {number + 1}, before timing", number)
                    self._end(group)
                    break
                yield self._record("open", number, case=case.key, **_without_status(reply))
            else:
                worker.suspend()
                return

    def _visit(self, case: Case, number: int, block: int, position: int, order: random.Random) -> Iterator[Record]:
        group = self.plan.group(case)
        worker = self.workers[group]
        worker.resume()
        try:
            reply = worker.ask("visit", key=case.key, seed=self._seed(number, block, "weights"), steps=self.settings.steps)
        except Died as died:
            reply = {"status": "failed", "reason": str(died)}
        if reply["status"] == "ok":
            worker.suspend()
            yield self._record("visit", number, block=block, position=position, case=case.key, **_without_status(reply))
            return
        yield self._failure(case, reply, f"in pass {number + 1}, block {block + 1}", number)
        self._end(group)
        yield from self._start(group, number, order)

    def _profiles(self, number: int) -> Iterator[Record]:
        """What each step consists of, asked of processes that have been timed and are ended next."""
        for group, worker in self.workers.items():
            worker.resume()
            for case in self.groups[group]:
                if case.key in self.failed or not self.plan.backend(case).proven:
                    continue
                try:
                    reply = worker.ask("profile", key=case.key)
                except Died as died:  # the times stand; only the profiles of this group end here
                    reply = {"status": "failed", "reason": str(died)}
                yield self._record("profile", number, case=case.key, **_without_status(reply))
                if "reason" in reply:
                    break

    def _end(self, group: str) -> None:
        self.workers.pop(group).end()

    def _seed(self, number: int, block: int, purpose: str) -> int:
        entropy = [self.settings.seed, number, block, *purpose.encode()]
        return int(np.random.SeedSequence(entropy).generate_state(1)[0])

    def _failure(self, case: Case, reply: dict[str, Any], when: str, number: int) -> Record:
        self.failed.add(case.key)
        reason = f"{case} {reply['reason']} ({when})."
        status = "wrong" if reply["status"] == "wrong" else "failed"
        return self._record("failure", number, case=case.key, status=status, reason=reason)

    def _record(self, kind: str, number: int, **fields: Any) -> Record:
        return {"record": kind, "pass": number, "at_seconds": round(time.monotonic() - self.started, 6), **fields}


def _without_status(reply: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in reply.items() if name != "status"}
