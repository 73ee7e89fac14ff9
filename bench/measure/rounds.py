"""One visit to a step: rounds from the judge's weights to the judge's verdict.

The conductor's clock runs around each request. The judge is asked before and after a round, never
while a step runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from bench import units
from bench.measure.asking import CaseFailed, Handle, Reply, ask, ask_judge, compare
from bench.plan.sides import Backend
from bench.schema.case import Case
from bench.schema.checking import fault
from bench.schema.replies import RunReply, TakeReply

GRAIN = 2e-9
"""Seconds by which a call that is reported to the nanosecond may be off."""
STOPPED_CPU = 0.005
"""CPU seconds that a process may take while it is stopped; next to a busy neighbor it is 0.0001."""
WARM, THROUGHPUT, LATENCY, DEVICE, AUDIT = "warm", "throughput", "latency", "device", "audit"


@dataclass(frozen=True)
class TimedRound:
    """What came of one round; `outside` has seconds by the conductor's clock."""

    run: RunReply
    readback_seconds: float
    errors: Mapping[str, Any] | None
    outside: dict[str, float]

    def check_calls(self, whole: float | None, number: int) -> None:
        """Raises `CaseFailed` unless the calls are as many as asked for and add up to `whole`."""
        calls = self.run.get("calls")
        if calls is None or whole is None:
            return
        if len(calls) != number or abs(sum(calls) - whole) > number * GRAIN:
            raise CaseFailed(
                "wrong",
                f"reports {len(calls)} calls that take {sum(calls):.3g} s, "
                f"{number} take {whole:.3g} s",
            )


@dataclass(frozen=True)
class VisitPlan:
    """A step, and how long its rounds are."""

    judge: Handle
    case: Case
    backend: Backend
    calls: int
    """Of a round, at least one."""
    block: str
    """The start of the names of its rounds."""

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

    def draws(self, lengths: Mapping[str, int]) -> Iterator[dict[str, Any]]:
        """What the judge has to draw for these rounds."""
        for name, calls in lengths.items():
            yield {
                "name": self._name(name, calls),
                "case": self.case.as_json(),
                "steps": calls * self.backend.steps_per_call,
                "proven": self.backend.proven and name != WARM,
            }

    def visit(self, worker: Handle, audited: bool, marks: bool) -> Reply:
        """Runs every round, the throughput's first: a journal's visit. Raises `CaseFailed`."""
        if (took := worker.cpu_seconds_while_stopped) > STOPPED_CPU:
            raise CaseFailed(
                "wrong",
                f"computes for {units.seconds(took)} while it is stopped and others are timed",
            )
        ask(worker, "put", arrays=self._weights(worker, WARM, 1))
        ask(worker, "run", mode=THROUGHPUT, calls=1)
        throughput = self.round(worker, THROUGHPUT, self.calls)
        longer = self.round(worker, AUDIT, self.longer) if audited else None
        latency = self.round(worker, LATENCY, self.calls)
        device = self.round(worker, DEVICE, self.calls) if marks else None
        ask(worker, "settle")
        throughput.check_calls(throughput.run.get("queued"), self.calls)
        latency.check_calls(latency.run["seconds"], self.calls)
        equal = [each for each in (throughput, latency, device) if each]
        return {
            "steps": self.steps,
            "throughput_seconds": throughput.run["seconds"],
            "dispatch_seconds": throughput.run.get("queued"),
            "latency_seconds": latency.run["seconds"],
            "throughput_call_seconds": throughput.run.get("calls"),
            "latency_call_seconds": latency.run.get("calls"),
            "device_seconds": device.run["seconds"] if device else None,
            "minor_faults": throughput.run.get("faults"),
            "readback_seconds": throughput.readback_seconds,
            "errors": worst([each.errors for each in (*equal, longer) if each]),
            "outside": self._outside(equal, longer),
        }

    def round(self, worker: Handle, name: str, calls: int) -> TimedRound:
        """Weights in, calls and a wait, losses and weights out; then the judge's verdict."""
        mode = THROUGHPUT if name == AUDIT else name
        layout, counted = self._weights(worker, name, calls), name == THROUGHPUT
        before = perf_counter()
        cpu = worker.cpu_seconds() if counted else 0.0  # pools spin for a while after a request
        start = perf_counter()
        ask(worker, "put", arrays=layout)
        placed = perf_counter()
        run: Any = ask(worker, "run", mode=mode, calls=calls)
        ran = perf_counter()
        taken = ask(worker, "take")
        end = perf_counter()
        cpu = worker.cpu_seconds() - cpu if counted else 0.0
        after = perf_counter()
        if what := fault(run, RunReply) or fault(taken, TakeReply):
            raise CaseFailed("failed", f"answers with a round whose {what}")
        errors = None
        if self.backend.proven:
            request = {"name": self._name(name, calls), "every": self.backend.steps_per_call}
            errors = compare(worker, taken, self.judge, "judged", **request)
        outside = {
            "put_seconds": placed - start,
            "throughput_seconds": ran - placed,
            "take_seconds": end - ran,
            "span_seconds": end - start,
            "cpu_seconds": cpu,
            "cpu_span_seconds": after - before,
        }
        return TimedRound(run, taken["readback_seconds"], errors, outside)

    def _outside(self, equal: Sequence[TimedRound], longer: TimedRound | None) -> Reply:
        """The record `Outside` of rounds of equal length, throughput and latency first."""
        throughput, latency, *device = equal
        outside = {
            **throughput.outside,
            "put_seconds": max(each.outside["put_seconds"] for each in equal),
            "take_seconds": max(each.outside["take_seconds"] for each in equal),
            "latency_seconds": latency.outside["throughput_seconds"],
            "device_seconds": device[0].outside["throughput_seconds"] if device else None,
        }
        if longer:
            outside["audit_steps"] = self.longer * self.backend.steps_per_call
            outside["audit_span_seconds"] = longer.outside["span_seconds"]
        return outside

    def _weights(self, worker: Handle, name: str, calls: int) -> Any:
        """Copies a round's weights into the worker's region; their layout."""
        layout = ask_judge(self.judge, "weights", name=self._name(name, calls))["arrays"]
        worker.region.copy_from(self.judge.region, layout)
        return layout

    def _name(self, name: str, calls: int) -> str:
        """Cases of one shape and dtype share the rounds of a block: one reference proves all."""
        steps = calls * self.backend.steps_per_call
        return f"{self.block} {self.case.shape} {self.case.dtype} {name} {steps}"


def worst(errors: Sequence[Mapping[str, Any] | None]) -> Reply | None:
    """The largest of each error; kinks add up."""
    some = [each for each in errors if each]
    if not some:
        return None
    return {name: (sum if name == "kinks" else max)(each[name] for each in some) for name in some[0]}
