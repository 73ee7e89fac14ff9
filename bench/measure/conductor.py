"""Leads the workers through passes and blocks and yields a record of every event as it happens.

Only the worker that is visited may run; all others are stopped. The conductor computes nothing from
what was measured.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from bench.conversation import Reply
from bench.machine import devices, environment
from bench.measure.executor import Processes
from bench.measure.process import Failed
from bench.measure.rounds import TimedCase, draw
from bench.plan.cases import Plan
from bench.schema.case import Case, takes_part
from bench.schema.checking import fault
from bench.schema.records import KINDS, Failure, Open, Record


def measure(plan: Plan, *, controls: bool = True, executor: Processes | None = None) -> Iterator[Record]:
    """Runs the plan. Closing the generator, or an exception in its consumer, ends every worker.

    Tests have an executor without processes.
    """
    cases = (*plan.cases, *plan.controls) if controls else plan.cases
    size = max(map(plan.definition.region_bytes, {case.shape for case in cases}), default=1)
    with executor or Processes(plan, size) as started:
        yield from Conductor(plan, cases, started).run()


def prove(plan: Plan) -> dict[str, Open | Failure]:
    """Proves every case once and times none: case key → the record of how that ended."""
    once = replace(plan, settings=replace(plan.settings, processes=1, blocks=0))
    records = measure(once, controls=False)
    return {record["case"]: record for record in records if record["record"] in ("open", "failure")}


class Conductor:
    """One run of these cases; `executor` starts its processes."""

    def __init__(self, plan: Plan, cases: Sequence[Case], executor: Processes) -> None:
        self.plan, self.settings = plan, plan.settings
        self.executor, self.judge = executor, executor.judge
        self.standing = {case.key: TimedCase(self.judge, case, plan.backend(case), self.settings.steps) for case in cases}
        """By case key: all that have not failed."""
        self.started = time.monotonic()

    def run(self) -> Iterator[Record]:
        for number in range(self.settings.processes):
            yield self._record("pass", number, **environment.load())
            yield from self._pass(number, random.Random(f"{self.settings.seed} {number}"))
            if not any(case.key in self.standing for case in self.plan.cases):
                break
        yield self._record("end", number)

    def _pass(self, number: int, order: random.Random) -> Iterator[Record]:
        processes, blocks = self.settings.processes, range(self.settings.blocks)
        cases = [each for each in self.standing.values() if takes_part(self.plan.kind(each.case), number, processes)]
        self.executor.begin_pass([each.case for each in cases])
        rounds = ([one for each in cases for one in each.rounds(f"{number} {block}")] for block in blocks)
        nonces = draw(self.judge, *rounds)
        for timed in order.sample(cases, len(cases)):  # libraries were loaded while the judge drew
            yield self._ask(timed, self._record("open", number), TimedCase.open, "before timing", self.executor, number == 0)
        for block, nonce in zip(blocks, nonces, strict=True):
            for timed in order.sample(cases, len(cases)):
                if timed.case.key in self.standing:
                    timed.worker.resume()
                    record = self._record("visit", number, block=block)
                    yield self._ask(timed, record, TimedCase.visit, f"block {block + 1}", f"{number} {block}")
            yield self._record("block", number, block=block, nonce=nonce, gpus=devices.gpus())
        if blocks and number == 0:
            for timed in self.standing.values():
                if timed.backend.proven:
                    yield self._profile(timed, number)
        self.executor.end_pass()
        self.judge.ask("forget")

    def _ask(self, timed: TimedCase, record: Any, ask: Callable[..., Reply], when: str, *about: Any) -> Any:
        """Asks a case and stops its worker: the record with the reply; or ends its worker: a record of the failure."""
        try:
            return self._finish(timed, record, ask(timed, *about))
        except Failed as failed:
            key, number = timed.case.key, record["pass"]
            del self.standing[key]
            self.executor.end_worker(timed.case)
            status = "wrong" if failed.status == "wrong" else "failed"
            reason = f"{timed.case} {failed} (in pass {number + 1}, {when})."
            return self._record("failure", number, case=key, status=status, reason=reason)

    def _profile(self, timed: TimedCase, number: int) -> Any:
        """What a step consists of, asked of a worker that has been timed and ends next."""
        timed.worker.resume()
        try:
            return self._finish(timed, self._record("profile", number), timed.worker.ask("profile"))
        except Failed as failed:  # the times stand
            timed.worker.stop()
            return self._record("profile", number, case=timed.case.key, reason=str(failed))

    def _finish(self, timed: TimedCase, record: dict[str, Any], reply: Reply) -> Any:
        """A record, of now, with a worker's reply, which cannot overwrite the conductor's fields; the worker is
        stopped. Raises `Failed`."""
        record |= {"case": timed.case.key, "at_seconds": self._seconds()}
        kind = record["record"]
        record |= {name: reply[name] for name in reply.keys() - record.keys() - {"status"}}
        if what := fault(record, KINDS[kind]):
            raise Failed("failed", f"answers with a {kind} whose {what}")
        timed.worker.stop()
        return record

    def _record(self, kind: str, number: int, **fields: Any) -> Any:
        return {"record": kind, "pass": number, "at_seconds": self._seconds(), **fields}

    def _seconds(self) -> float:
        """Since the run began."""
        return round(time.monotonic() - self.started, 6)
