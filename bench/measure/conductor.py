"""Leads the workers through passes and blocks, and yields a record of everything that happens, as it happens.

It keeps off the workers' cores, and of the workers only the one being visited may run. What was measured it hands on and never
computes with.
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
from bench.plan.cases import Plan
from bench.schema.case import Case
from bench.schema.checking import fault
from bench.schema.records import KINDS, Failure, Open, Profile, Record

Reply = dict[str, Any]
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


def prove(plan: Plan) -> dict[str, Open | Failure]:
    """Proves every case once and times none: case key → how that ended."""
    once = replace(plan, settings=replace(plan.settings, processes=1, blocks=0))
    ends = [record for record in measure(once, controls=False) if record["record"] in ("open", "failure")]
    return {record["case"]: record for record in ends}


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
                reply = _ask(
                    worker,
                    "open",
                    path=backend.path,
                    libraries=list(backend.libraries),
                    case=case.as_json(),
                    proven=backend.proven,
                    proof_seed=self._seed(number, 0, "proof"),
                    elsewhere=number == 0,
                )
                record = self._answer("open", number, f"in pass {number + 1}, before timing", case, reply)
                yield record
                if record["record"] == "failure":
                    self._end(group)
                    break
            else:
                worker.suspend()
                return

    def _visit(self, case: Case, number: int, block: int, position: int, order: random.Random) -> Iterator[Record]:
        group = self.plan.group(case)
        worker = self.workers[group]
        worker.resume()
        reply = _ask(worker, "visit", key=case.key, seed=self._seed(number, block, "weights"), steps=self.settings.steps)
        when = f"in pass {number + 1}, block {block + 1}"
        record = self._answer("visit", number, when, case, reply, block=block, position=position)
        if record["record"] == "visit":
            worker.suspend()
            yield record
            return
        yield record
        self._end(group)
        yield from self._start(group, number, order)

    def _profiles(self, number: int) -> Iterator[Record]:
        """What each step consists of, asked of processes that have been timed and are ended next."""
        for group, worker in self.workers.items():
            worker.resume()
            for case in self.groups[group]:
                if case.key in self.failed or not self.plan.backend(case).proven:
                    continue
                reply = _ask(worker, "profile", key=case.key)
                record = _with_answer(self._record("profile", number, case=case.key), reply)
                if what := fault(record, Profile):
                    record = self._record("profile", number, case=case.key, reason=f"answers with a profile whose {what}")
                yield record
                if "reason" in record:  # the times stand; only the profiles of this group end here
                    break

    def _end(self, group: str) -> None:
        self.workers.pop(group).end()

    def _seed(self, number: int, block: int, purpose: str) -> int:
        entropy = [self.settings.seed, number, block, *purpose.encode()]
        return int(np.random.SeedSequence(entropy).generate_state(1)[0])

    def _answer(self, kind: str, number: int, when: str, case: Case, reply: Reply, **fields: Any) -> Any:
        """What a worker replied as a record of this kind; as the `Failure` of its case if it is none."""
        if reply["status"] == "ok":
            record = _with_answer(self._record(kind, number, **fields, case=case.key), reply)
            if not (what := fault(record, KINDS[kind])):
                return record
            reply = {"status": "failed", "reason": f"answers with a {kind} whose {what}"}
        self.failed.add(case.key)
        status = "wrong" if reply["status"] == "wrong" else "failed"
        return self._record("failure", number, case=case.key, status=status, reason=f"{case} {reply['reason']} ({when}).")

    def _record(self, kind: str, number: int, **fields: Any) -> Any:
        return {"record": kind, "pass": number, "at_seconds": round(time.monotonic() - self.started, 6), **fields}


def _ask(worker: WorkerProcess, do: str, **request: Any) -> Reply:
    try:
        return worker.ask(do, **request)
    except Died as died:
        return {"status": "failed", "reason": str(died)}


def _with_answer(record: dict[str, Any], reply: Reply) -> Any:
    """A record with what a worker told, which cannot change what the conductor knows."""
    return record | {name: value for name, value in reply.items() if name not in record and name != "status"}
