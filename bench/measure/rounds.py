"""One visit to a step: rounds from the judge's weights to the judge's verdict, with the conductor's clock outside of each.

The judge is asked before and after, never while a step runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from time import perf_counter
from typing import Any

from bench import units
from bench.errors import UsageError
from bench.machine import counters
from bench.measure.process import Died, Process
from bench.measure.ranks import Ranks
from bench.plan.sides import Backend
from bench.schema.case import Case
from bench.schema.checking import fault
from bench.schema.records import AtLeast0

Reply = dict[str, Any]
Held = Process | Ranks
"""Whoever is asked: a process, or the ranks of a step as one."""
GRAIN = 2e-9
"""Seconds by which a call that is told to the nanosecond may be off."""
AWAKE = 0.005
"""Seconds of CPU time for which a suspended process may have computed since it began; beside a loud neighbour it is 0.0001."""
WARM, THROUGHPUT, LATENCY, DEVICE, AUDIT = "warm", "throughput", "latency", "device", "audit"


class Refused(Exception):
    """A case that is not visited again: its status, and a phrase that says why."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = "wrong" if status == "wrong" else "failed"


def answer(process: Held, do: str = "", **request: Any) -> Reply:
    """What a process replies, to what it was sent before where nothing is asked now. Raises `Refused`."""
    try:
        reply = process.ask(do, **request) if do else process.receive()
    except Died as died:
        raise Refused("failed", str(died)) from None
    if reply["status"] != "ok":
        raise Refused(reply["status"], str(reply.get("reason")))
    return reply


def judges(judge: Process, do: str = "", **request: Any) -> Reply:
    """What the judge replies, as `answer` tells it; without the judge nothing goes on, so it raises `UsageError`."""
    try:
        return answer(judge, do, **request)
    except Refused as refused:
        raise UsageError(f"the judge's process: {refused}; what was measured until then is kept, run again.") from None


def forwarded(sender: Held, reply: Reply, receiver: Held, do: str, **request: Any) -> Reply:
    """Asks one process with the arrays that another one gave. Raises `Refused`."""
    try:
        receiver.region.take(sender.region, reply["arrays"])
    except (KeyError, TypeError, ValueError) as error:
        raise Refused("failed", f"answers with {error}") from None
    return answer(receiver, do, arrays=reply["arrays"], **request)


@dataclass(frozen=True)
class Visited:
    """A step, and how long its rounds are."""

    judge: Process
    case: Case
    backend: Backend
    calls: int
    """Of a round; at least one, whatever a call does."""
    block: str
    """What the names of its rounds begin with."""

    @property
    def steps(self) -> int:
        return self.calls * self.backend.steps_per_call

    @property
    def longer(self) -> int:
        """Calls of an audit's round: twice as many, or half where twice cannot be proven."""
        return 2 * self.calls if 2 * self.steps <= 100 else max(1, self.calls // 2)

    def lengths(self, audited: bool, marks: bool) -> dict[str, int]:
        """The rounds of a visit, and the calls of each."""
        lengths = {WARM: 1, THROUGHPUT: self.calls, LATENCY: self.calls}
        lengths |= {DEVICE: self.calls} if marks else {}
        return lengths | ({AUDIT: self.longer} if audited else {})

    def drawn(self, lengths: Mapping[str, int]) -> Iterator[dict[str, Any]]:
        """What the judge has to draw for these rounds."""
        for name, calls in lengths.items():
            yield {
                "name": self._name(name, calls),
                "case": self.case.as_json(),
                "steps": calls * self.backend.steps_per_call,
                "proven": self.backend.proven and name != WARM,
            }

    def visit(self, worker: Held, audited: bool, marks: bool) -> Reply:
        """Every round of a visit, the throughput's first; what a journal's visit has of it. Raises `Refused`."""
        if (awake := worker.awake_seconds) > AWAKE:
            raise Refused("wrong", f"computes for {units.seconds(awake)} while it is suspended and others are timed")
        answer(worker, "put", key=self.case.key, arrays=self._weights(worker, WARM, 1))
        answer(worker, "run", key=self.case.key, mode="throughput", calls=1)
        counts = [worker.counters.read()]
        throughput = self.round(worker, THROUGHPUT, self.calls)
        counts.append(worker.counters.read())
        longer = self.round(worker, AUDIT, self.longer) if audited else None
        counts.append(worker.counters.read())
        latency = self.round(worker, LATENCY, self.calls)
        device = self.round(worker, DEVICE, self.calls) if marks else None
        answer(worker, "settle")
        throughput.check_calls("queued", self.calls)
        latency.check_calls("seconds", self.calls)
        equal = [each for each in (throughput, latency, device) if each]
        rounds = [*equal, longer] if longer else equal
        outside = {
            **throughput.outside,
            **{name: max(each.outside[name] for each in equal) for name in ("put_seconds", "take_seconds")},
            "latency_seconds": latency.outside["throughput_seconds"],
            "device_seconds": device.outside["throughput_seconds"] if device else None,
        }
        if longer:
            outside |= {
                "audit_steps": self.longer * self.backend.steps_per_call, "audit_span_seconds": longer.outside["span_seconds"],
            }  # fmt: skip
        return {
            "steps": self.steps,
            "throughput_seconds": throughput.reply.get("seconds"),
            "dispatch_seconds": throughput.reply.get("queued"),
            "latency_seconds": latency.reply.get("seconds"),
            "throughput_call_seconds": throughput.reply.get("calls"),
            "latency_call_seconds": latency.reply.get("calls"),
            "device_seconds": device.reply.get("seconds") if device else None,
            "minor_faults": throughput.reply.get("faults"),
            "readback_seconds": throughput.taken.get("readback_seconds"),
            "errors": worst([each.errors for each in rounds]),
            "outside": outside,
            **({"counts": counted} if longer and (counted := _counted(counts)) else {}),
        }

    def round(self, worker: Held, name: str, calls: int) -> Round:
        """Weights in, calls and a wait, losses and weights out, each timed from outside; then the judge's word."""
        mode = THROUGHPUT if name == AUDIT else name
        arrays, counted = self._weights(worker, name, calls), name == THROUGHPUT
        before = perf_counter()
        cpu = worker.cpu_seconds() if counted else 0.0  # from here on: pools spin for a while after whatever came before
        start = perf_counter()
        answer(worker, "put", key=self.case.key, arrays=arrays)
        placed = perf_counter()
        reply = answer(worker, "run", key=self.case.key, mode=mode, calls=calls)
        ran = perf_counter()
        taken = answer(worker, "take", key=self.case.key)
        end = perf_counter()
        cpu = worker.cpu_seconds() - cpu if counted else 0.0
        after = perf_counter()
        errors = None
        if self.backend.proven:
            every = self.backend.steps_per_call
            asked: dict[str, Any] = {"name": self._name(name, calls), "every": every, "ranks": self.case.ranks}
            said = forwarded(worker, taken, self.judge, "judged", **asked)
            errors = said["errors"]
        outside = {
            "put_seconds": placed - start,
            "throughput_seconds": ran - placed,
            "take_seconds": end - ran,
            "span_seconds": end - start,
            "cpu_seconds": cpu,
            "cpu_span_seconds": after - before,
        }
        return Round(reply, taken, errors, outside)

    def _weights(self, worker: Held, name: str, calls: int) -> Any:
        """Where a round's weights lie in the memory that worker and conductor share."""
        told = judges(self.judge, "weights", name=self._name(name, calls))["arrays"]
        worker.region.take(self.judge.region, told)
        return told

    def _name(self, name: str, calls: int) -> str:
        """Cases of one shape and dtype share their rounds of a block: one reference proves them all."""
        return f"{self.block} {self.case.shape} {self.case.dtype} {name} {calls * self.backend.steps_per_call}"


@dataclass(frozen=True)
class Round:
    reply: Reply
    taken: Reply
    errors: Mapping[str, Any] | None
    outside: dict[str, float]

    def check_calls(self, whole: str, number: int) -> None:
        """Raises `Refused` unless the calls that were timed each are as many as were asked for, and add up to the whole."""
        calls, seconds = self.reply.get("calls"), self.reply.get(whole)
        if calls is None or seconds is None or fault(calls, list[AtLeast0]) or fault(seconds, float):
            return  # none, or what is refused for what it is
        if len(calls) != number or abs(sum(calls) - seconds) > number * GRAIN:
            raise Refused("wrong", f"tells of {len(calls)} calls that take {sum(calls):.3g} s, {number} take {seconds:.3g} s")


def _counted(reads: Sequence[Mapping[str, int]]) -> dict[str, list[int]]:
    """Of each event, what was counted from each read to the next."""
    spans = [counters.between(*pair) for pair in pairwise(reads)]
    return {name: counts for name in reads[0] if len(counts := [span[name] for span in spans if name in span]) == len(spans)}


def worst(errors: list[Mapping[str, Any] | None]) -> Reply | None:
    """The largest of each error; kinks add up. The judge has refused what is no number."""
    some = [each for each in errors if each]
    if not some:
        return None
    return {name: (sum if name == "kinks" else max)(each[name] for each in some) for name in some[0]}
