"""Leads the workers through passes and blocks, and yields a record of everything that happens, as it happens.

It keeps off the workers' cores, and of the workers only the one being visited may run. What was measured it hands on; all that
it computes from it is whether a worker's clock can be believed.
"""

from __future__ import annotations

import itertools
import os
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from backends.api import step_flops, weights_dtype
from bench.machine import devices, environment, gpu, resources
from bench.measure import audit, proving
from bench.measure.process import Died, Process
from bench.measure.ranks import Ranks
from bench.measure.rounds import Held, Refused, Reply, Visited, answer, forwarded, judges
from bench.plan.cases import Plan
from bench.schema.case import DEFAULT_SHAPE, PEAK, Case, Shape, takes_part
from bench.schema.checking import fault
from bench.schema.records import KINDS, Failure, Open, Profile, Record

EPOCHS = 10
"""Whose losses a profile shows."""
MEMORY_SHARE = 0.8
"""Of the memory available at the start, what one CPU worker may take before its allocations fail."""


def measure(plan: Plan, *, controls: bool = True) -> Iterator[Record]:
    """Runs the plan. Closing the generator, or an exception in whoever consumes it, ends every worker."""
    conductor = _Conductor(plan, (*plan.cases, *plan.controls) if controls else plan.cases)
    with _off_cores(conductor.cores[-max((case.threads * case.ranks for case in plan.cases), default=1) :]):
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
        self.plan, self.settings, self.cases = plan, plan.settings, cases
        self.groups: dict[str, list[Case]] = {}
        """Of the pass at hand: those that share a process."""
        self.workers: dict[str, Held] = {}
        self.failed: set[str] = set()
        self.visits: dict[str, list[Any]] = {case.key: [] for case in cases}
        self.marks: dict[str, bool] = {}
        places = list(itertools.product(range(self.settings.processes), range(self.settings.blocks)))
        secret = random.SystemRandom()  # a worker must not know beforehand
        self.audited = {case.key: set(secret.sample(places, min(audit.AUDITS, len(places)))) for case in cases}
        self.cores = resources.cores()  # before this process leaves the workers' ones
        self.memory = int(MEMORY_SHARE * resources.available_memory())
        self.size = max(map(_bytes, cases), default=1)
        self.started = time.monotonic()
        self.judge: Process

    def run(self) -> Iterator[Record]:
        self.judge = Process.judge(self.settings, self.size)
        for number in range(self.settings.processes):
            yield self._record("pass", number, **environment.load())
            self.groups = self._groups(number)
            order = random.Random(f"{self.settings.seed} {number}")
            groups = order.sample(list(self.groups), len(self.groups))
            self.judge.send("draw", blocks=[self._rounds(number, block) for block in range(self.settings.blocks)])
            self._launch(groups)
            nonces = judges(self.judge)["nonces"]  # drawn while libraries were loaded, and done before anything is timed
            for group in groups:
                yield from self._start(group, number, order)
            for block, nonce in enumerate(nonces):
                cases = [case for group in self.groups.values() for case in group]
                for position, case in enumerate(order.sample(cases, len(cases))):
                    if case.key not in self.failed:
                        yield from self._visit(case, number, block, position, order)
                yield self._record("block", number, block=block, nonce=nonce, gpus=gpu.gpus())
            if self.settings.blocks:
                yield from self._audited(number)
            if number == 0 and self.settings.blocks:
                yield from self._profiles(number)
            self._end_workers()
            judges(self.judge, "forget")
            if all(case.key in self.failed for case in self.plan.cases):
                break
        yield self._record("end", number)

    def _groups(self, number: int) -> dict[str, list[Case]]:
        groups: dict[str, list[Case]] = {}
        for case in self.cases:
            if takes_part(self.plan.kind(case), number, self.settings.processes):
                groups.setdefault(self.plan.group(case), []).append(case)
        return groups

    def end_all(self) -> None:
        self._end_workers()
        if hasattr(self, "judge"):
            self.judge.end()

    def _end_workers(self) -> None:
        while self.workers:
            self.workers.popitem()[1].end()

    def _launch(self, groups: list[str]) -> None:
        """Fresh processes that have loaded every backend of their groups, side by side, for nothing is timed yet; suspended.

        One that cannot load them all is ended: `_start` finds out which it is.
        """
        for group in groups:
            if cases := self._standing(group):
                with suppress(Died):  # the answer tells
                    self._process(group).send("load", **self._loading(cases))
        for group, worker in list(self.workers.items()):
            try:
                answer(worker)
            except Refused:
                self._end(group)
            else:
                worker.suspend()

    def _launched(self, group: str, number: int, order: random.Random) -> Iterator[Failure]:
        """The same for one group, backend by backend; again without one that cannot be loaded."""
        while cases := self._standing(group):
            worker = self._process(group)
            try:
                for case in order.sample(cases, len(cases)):
                    answer(worker, "load", **self._loading([case]))
            except Refused as refused:
                yield self._failure(case, number, refused, f"in pass {number + 1}, before timing")
                self._end(group)
            else:
                worker.suspend()
                return

    def _standing(self, group: str) -> list[Case]:
        return [case for case in self.groups[group] if case.key not in self.failed]

    def _process(self, group: str) -> Held:
        """A fresh process of the group, or its ranks. Libraries load on every core; foreign code never leaves those that it is
        timed on."""
        first = self._standing(group)[0]
        foreign, anywhere = self.plan.backend(first).foreign, [cpu for core in self.cores for cpu in core]
        memory = self.memory if devices.kind_of(first.device).limited else None
        cpus = self._cpus(first) if foreign else anywhere
        if first.ranks > 1:
            share = memory // first.ranks if memory else None
            self.workers[group] = Ranks(
                first.ranks, self.plan.side(first), self.settings, first.threads, cpus, share, self.size,
            )  # fmt: skip
        else:
            self.workers[group] = Process.worker(
                self.plan.side(first), self.settings, first.threads, cpus, memory, self.size, foreign,
            )  # fmt: skip
        return self.workers[group]

    def _cpus(self, case: Case) -> list[int]:
        """All workers share one set of cores, the last ones: the first is where interrupts tend to go."""
        return [core[0] for core in self.cores[-case.threads * case.ranks :]]

    def _loading(self, cases: Sequence[Case]) -> dict[str, Any]:
        backends = [self.plan.backend(case) for case in cases]
        libraries = dict.fromkeys(name for backend in backends for name in backend.libraries)
        paths = dict.fromkeys(backend.path for backend in backends)
        return {"paths": list(paths), "libraries": list(libraries), "cpus": self._cpus(cases[0])}

    def _start(self, group: str, number: int, order: random.Random) -> Iterator[Record]:
        """The group's process with every case opened and proven, suspended; in a fresh one without a case that fails."""
        while cases := self._standing(group):
            if group not in self.workers:
                yield from self._launched(group, number, order)
                continue
            worker = self.workers[group]
            worker.resume()
            for case in order.sample(cases, len(cases)):
                record = self._opened(worker, case, number)
                yield record
                if record["record"] == "failure":
                    self._end(group)
                    break
            else:
                worker.suspend()
                return

    def _opened(self, worker: Held, case: Case, number: int) -> Any:
        """Opens a case and has it proven; in the first pass elsewhere too, and with a rehearsal of what is timed."""
        when = f"in pass {number + 1}, before timing"
        try:
            reply = proving.opened(worker, self._visited(case, "rehearsal"), elsewhere=number == 0)
        except Refused as refused:
            return self._failure(case, number, refused, when)
        self.marks[case.key] = reply.get("marks") is True
        return self._answer("open", number, when, case, reply)

    def _rounds(self, number: int, block: int) -> list[dict[str, Any]]:
        """What the judge has to draw for a block: cases of one shape and dtype share their rounds."""
        rounds: dict[str, Any] = {}
        for case in (case for group in self.groups.values() for case in group if case.key not in self.failed):
            audited, queued = (number, block) in self.audited[case.key], devices.kind_of(case.device).queued
            visited = self._visited(case, f"{number} {block}")
            for each in visited.drawn(visited.lengths(audited, queued)):
                if each["name"] not in rounds or each["proven"]:
                    rounds[each["name"]] = each
        return list(rounds.values())

    def _visited(self, case: Case, block: str) -> Visited:
        backend = self.plan.backend(case)
        return Visited(self.judge, case, backend, max(1, self.settings.steps // backend.steps_per_call), block)

    def _visit(self, case: Case, number: int, block: int, position: int, order: random.Random) -> Iterator[Record]:
        group = self.plan.group(case)
        worker = self.workers[group]
        when = f"in pass {number + 1}, block {block + 1}"
        worker.resume()
        try:
            visited = self._visited(case, f"{number} {block}")
            reply = visited.visit(worker, (number, block) in self.audited[case.key], self.marks[case.key])
        except Refused as refused:
            record = self._failure(case, number, refused, when)
        else:
            record = self._answer("visit", number, when, case, reply, block=block, position=position)
        if record["record"] == "visit":
            worker.suspend()
            self.visits[case.key].append(record)
            yield record
            return
        yield record
        self._end(group)
        yield from self._start(group, number, order)

    def _audited(self, number: int) -> Iterator[Record]:
        """The cases whose clock cannot be believed, by all their visits up to here."""
        cases = [case for case in self.cases if case.key not in self.failed]
        for case in cases:
            least, peak = self._least_seconds(case, cases)
            if self.plan.backend(case).proven and (
                what := audit.fault(
                    self.visits[case.key],
                    [self.visits[c.key] for c in cases if c.ranks == case.ranks and not self.plan.backend(c).proven],
                    None if devices.kind_of(case.device).queued else case.threads * case.ranks,
                    least,
                    max(1.0, _weights(case.shape) / _weights(DEFAULT_SHAPE)),
                    peak,
                )
            ):
                yield self._failure(case, number, Refused("wrong", what), f"in pass {number + 1}, by all its rounds")

    def _least_seconds(self, case: Case, cases: Sequence[Case]) -> tuple[float, bool]:
        """What a step's arithmetic takes at the best rate of the controls that ran where this case runs, 0 without any; whether
        a peak of its dtype was among them, whose rate is a thread's."""
        dtypes = (case.dtype, weights_dtype(case.dtype))
        rates, peak = [0.0], False
        for other in cases:
            backend = self.plan.backend(other)
            if (other.device, other.threads) != (case.device, case.threads) or other.dtype not in dtypes or backend.proven:
                continue  # a step could say anything of itself
            work, visits = backend.work.get(other.device, {}).get(other.dtype, (0, 0))[0], self.visits[other.key]
            if backend.kind == PEAK:
                rates += [work * case.threads / min(calls) for visit in visits if (calls := visit["throughput_call_seconds"])]
                peak |= work > 0 and other.dtype == case.dtype and bool(visits)
            else:
                rates += [work * visit["steps"] / visit["throughput_seconds"] for visit in visits]
        return step_flops(*case.shape) / (case.ranks * max(rates)) if max(rates) else 0.0, peak

    def _profiles(self, number: int) -> Iterator[Record]:
        """What each step consists of, asked of processes that have been timed and are ended next."""
        for group, worker in self.workers.items():
            worker.resume()
            for case in self.groups[group]:
                backend = self.plan.backend(case)
                if case.key in self.failed or not backend.proven:
                    continue
                record = self._record("profile", number, case=case.key)
                every = backend.steps_per_call
                calls = max(1, EPOCHS // every)
                try:
                    expected = judges(self.judge, "losses", case=case.as_json(), steps=calls * every, every=every)
                    reply = forwarded(self.judge, expected, worker, "profile", key=case.key, calls=calls)
                    record = _with_answer(record | {"expected_losses": expected["losses"]}, reply)
                    if what := fault(record, Profile):
                        raise Refused("failed", f"answers with a profile whose {what}")
                except Refused as refused:
                    record = self._record("profile", number, case=case.key, reason=str(refused))
                yield record
                if "reason" in record:  # the times stand; only the profiles of this group end here
                    break

    def _end(self, group: str) -> None:
        self.workers.pop(group).end()

    def _answer(self, kind: str, number: int, when: str, case: Case, reply: Reply, **fields: Any) -> Any:
        """What a worker replied as a record of this kind; as the `Failure` of its case if it is none."""
        record = _with_answer(self._record(kind, number, **fields, case=case.key), reply)
        if what := fault(record, KINDS[kind]):
            return self._failure(case, number, Refused("failed", f"answers with a {kind} whose {what}"), when)
        return record

    def _failure(self, case: Case, number: int, refused: Refused, when: str) -> Any:
        self.failed.add(case.key)
        reason = f"{case} {refused} ({when})."
        return self._record("failure", number, case=case.key, status=refused.status, reason=reason)

    def _record(self, kind: str, number: int, **fields: Any) -> Any:
        return {"record": kind, "pass": number, "at_seconds": round(time.monotonic() - self.started, 6), **fields}


def _weights(shape: Shape) -> int:
    """How many weights have to go in and out; those of controls are the default shape's."""
    return shape.H * (shape.D_in + shape.D_out)


def _with_answer(record: dict[str, Any], reply: Reply) -> Any:
    """A record with what a worker told, which cannot change what the conductor knows."""
    return record | {name: value for name, value in reply.items() if name not in record and name != "status"}


def _bytes(case: Case) -> int:
    """What the largest request of a case has to hold: a problem, other weights, losses; in float64."""
    N, D_in, H, D_out = case.shape
    return 8 * (N * (D_in + D_out) + 4 * case.ranks * H * (D_in + D_out)) + (1 << 20)
