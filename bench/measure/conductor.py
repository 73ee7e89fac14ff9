"""Leads the workers through passes and blocks and yields a record of every event as it happens.

Only the worker that is visited may run; all others are stopped. The conductor computes nothing from
what was measured.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from bench.machine import devices, environment
from bench.measure import proving
from bench.measure.asking import CaseFailed, Reply, ask_judge, pass_arrays, receive_from_judge
from bench.measure.executor import Processes
from bench.measure.process import Process
from bench.measure.rounds import VisitPlan
from bench.plan.cases import Plan
from bench.schema.case import Case, takes_part
from bench.schema.checking import fault
from bench.schema.records import KINDS, Failure, Open, Profile, Record

EPOCHS = 10
"""Losses in a profile."""


def measure(
    plan: Plan, *, controls: bool = True, executor: Processes | None = None
) -> Iterator[Record]:
    """Runs the plan. Closing the generator, or an exception in its consumer, ends every worker.

    Tests have an executor without processes.
    """
    cases = (*plan.cases, *plan.controls) if controls else plan.cases
    shapes = {case.shape for case in cases}
    size = max(map(plan.definition.region_bytes, shapes), default=1)
    with executor or Processes(plan, size) as started:
        conductor = Conductor(plan, cases, started)
        try:
            yield from conductor.run()
        finally:
            conductor.end_workers()


def prove(plan: Plan) -> dict[str, Open | Failure]:
    """Proves every case once and times none: case key → the record of how that ended."""
    once = replace(plan, settings=replace(plan.settings, processes=1, blocks=0))
    records = measure(once, controls=False)
    ends = [record for record in records if record["record"] in ("open", "failure")]
    return {record["case"]: record for record in ends}


class Conductor:
    """One run of these cases; `executor` starts its processes."""

    def __init__(self, plan: Plan, cases: Sequence[Case], executor: Processes) -> None:
        self.plan, self.settings, self.cases = plan, plan.settings, cases
        self.executor = executor
        self.workers: dict[str, Process] = {}
        """By case key: those of the current pass."""
        self.failed: set[str] = set()
        self.marks: dict[str, bool] = {}
        """Whether a case's device has a clock of its own."""
        self.started = time.monotonic()

    def run(self) -> Iterator[Record]:
        self.judge = self.executor.judge()
        for number in range(self.settings.processes):
            yield self._record("pass", number, **environment.load())
            yield from self._pass(number, random.Random(f"{self.settings.seed} {number}"))
            if all(case.key in self.failed for case in self.plan.cases):
                break
        yield self._record("end", number)

    def end_workers(self) -> None:
        while self.workers:
            self.workers.popitem()[1].end()

    def _pass(self, number: int, order: random.Random) -> Iterator[Record]:
        processes, blocks = self.settings.processes, range(self.settings.blocks)
        kind, standing = self.plan.kind, self._standing()
        cases = [case for case in standing if takes_part(kind(case), number, processes)]
        self.executor.begin_pass(cases)
        draws = [self._draws(cases, number, block) for block in blocks]
        self.judge.send("draw", blocks=draws)  # while libraries load
        nonces = receive_from_judge(self.judge)["nonces"]
        for case in order.sample(cases, len(cases)):
            yield self._start(case, number)
        for block, nonce in zip(blocks, nonces, strict=True):
            for position, case in enumerate(order.sample(cases, len(cases))):
                if case.key not in self.failed:
                    yield self._visit(case, number, block, position)
            yield self._record("block", number, block=block, nonce=nonce, gpus=devices.gpus())
        if blocks and number == 0:
            yield from self._profiles(number)
        self.end_workers()
        self.executor.end_pass()
        ask_judge(self.judge, "forget")

    def _standing(self) -> list[Case]:
        return [case for case in self.cases if case.key not in self.failed]

    def _start(self, case: Case, number: int) -> Any:
        """The record of a worker that was started, loaded and proven, and is stopped now."""
        when = f"in pass {number + 1}, before timing"
        try:
            worker = self.workers[case.key] = self.executor.worker(case)
            plan, cpus = self._visit_plan(case, "rehearsal"), self.executor.cpus(case)
            reply = proving.open_case(worker, plan, cpus, elsewhere=number == 0)
        except CaseFailed as failed:
            return self._fail(case, number, failed, when)
        self.marks[case.key] = reply.get("marks") is True
        return self._finish("open", number, when, case, reply)

    def _visit(self, case: Case, number: int, block: int, position: int) -> Any:
        """The record of one visit."""
        worker, when = self.workers[case.key], f"in pass {number + 1}, block {block + 1}"
        worker.resume()
        try:
            plan = self._visit_plan(case, f"{number} {block}")
            reply = plan.visit(worker, self.marks[case.key])
        except CaseFailed as failed:
            return self._fail(case, number, failed, when)
        return self._finish("visit", number, when, case, reply, block=block, position=position)

    def _draws(self, cases: Sequence[Case], number: int, block: int) -> list[dict[str, Any]]:
        """What the judge has to draw for a block: cases of one shape and dtype share rounds."""
        rounds: dict[str, Any] = {}
        for case in cases:
            plan = self._visit_plan(case, f"{number} {block}")
            for each in plan.draws(plan.lengths(devices.is_accelerator(case.device))):
                if each["name"] not in rounds or each["proven"]:
                    rounds[each["name"]] = each
        return list(rounds.values())

    def _visit_plan(self, case: Case, block: str) -> VisitPlan:
        return VisitPlan.of(self.judge, self.plan, case, self.settings.steps, block)

    def _profiles(self, number: int) -> Iterator[Record]:
        """What each step consists of, asked of workers that have been timed and end next."""
        for case in self._standing():
            backend = self.plan.backend(case)
            if not backend.proven or case.key not in self.workers:
                continue
            worker, record = self.workers[case.key], self._record("profile", number, case=case.key)
            worker.resume()
            every = backend.steps_per_call
            calls = max(1, EPOCHS // every)
            request = {"case": case.as_json(), "steps": calls * every, "every": every}
            try:
                expected = ask_judge(self.judge, "losses", **request)
                reply = pass_arrays(self.judge, expected, worker, "profile", calls=calls)
                record = _with_reply(record | {"expected_losses": expected["losses"]}, reply)
                if what := fault(record, Profile):
                    raise CaseFailed("failed", f"answers with a profile whose {what}")
            except CaseFailed as failed:  # the times stand
                record = self._record("profile", number, case=case.key, reason=str(failed))
            worker.stop()
            yield record

    def _finish(
        self, kind: str, number: int, when: str, case: Case, reply: Reply, **fields: Any
    ) -> Any:
        """A worker's reply as a record of this kind, the worker stopped; or the case's failure."""
        record = _with_reply(self._record(kind, number, **fields, case=case.key), reply)
        if what := fault(record, KINDS[kind]):
            failed = CaseFailed("failed", f"answers with a {kind} whose {what}")
            return self._fail(case, number, failed, when)
        self.workers[case.key].stop()
        return record

    def _fail(self, case: Case, number: int, failed: CaseFailed, when: str) -> Any:
        """The record of a case that failed; its worker ends."""
        self.failed.add(case.key)
        if worker := self.workers.pop(case.key, None):
            worker.end()
        reason = f"{case} {failed} ({when})."
        return self._record("failure", number, case=case.key, status=failed.status, reason=reason)

    def _record(self, kind: str, number: int, **fields: Any) -> Any:
        at_seconds = round(time.monotonic() - self.started, 6)
        return {"record": kind, "pass": number, "at_seconds": at_seconds, **fields}


def _with_reply(record: dict[str, Any], reply: Reply) -> Any:
    """A record with a worker's reply, which cannot overwrite the conductor's fields."""
    added = {name: value for name, value in reply.items() if name not in record}
    return record | {name: value for name, value in added.items() if name != "status"}
