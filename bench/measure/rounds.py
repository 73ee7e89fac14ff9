"""One visit to a step: rounds from the judge's state to the judge's verdict.

The judge is asked before and after a round, never while a step runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from bench.measure.asking import CaseFailed, Reply, ask, ask_judge, copy_arrays, judge_copied
from bench.measure.process import Process
from bench.plan.cases import Plan
from bench.plan.sides import Backend
from bench.schema.case import Case
from bench.schema.checking import fault
from bench.schema.records import COUNTERS, RunReply, TakeReply

GRAIN = 2e-9
"""Seconds by which a call that is reported to the nanosecond may be off."""
WARM, THROUGHPUT, LATENCY, DEVICE = "warm", "throughput", "latency", "device"


@dataclass(frozen=True)
class TimedRound:
    """What came of one round."""

    run: RunReply
    readback_seconds: float
    errors: Mapping[str, Any] | None
    put_seconds: float
    """By the conductor's clock: state in, from the copy into the worker's region; the next two: the
    run, and losses and state out, to the copy out of the region."""
    run_seconds: float
    take_seconds: float

    @property
    def span_seconds(self) -> float:
        """From sending the state to having losses and state back."""
        return self.put_seconds + self.run_seconds + self.take_seconds

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

    judge: Process
    case: Case
    backend: Backend
    calls: int
    """Of a round, at least one."""
    block: str
    """The start of the names of its rounds."""
    small: int = 0
    """How many small shapes the step is proven at as well."""

    @classmethod
    def of(cls, judge: Process, plan: Plan, case: Case, steps: int, block: str) -> VisitPlan:
        """Rounds of about so many steps."""
        backend = plan.backend(case)
        calls = max(1, steps // backend.steps_per_call)
        return cls(judge, case, backend, calls, block, len(plan.definition.small))

    @property
    def steps(self) -> int:
        return self.calls * self.backend.steps_per_call

    def lengths(self, marks: bool) -> dict[str, int]:
        """The rounds of a visit, and the calls of each."""
        lengths = {WARM: 1, THROUGHPUT: self.calls, LATENCY: self.calls}
        return lengths | ({DEVICE: self.calls} if marks else {})

    def draws(self, lengths: Mapping[str, int]) -> Iterator[dict[str, Any]]:
        """What the judge has to draw for these rounds."""
        for name, calls in lengths.items():
            yield {
                "name": self._name(name, calls),
                "case": self.case.as_json(),
                "steps": calls * self.backend.steps_per_call,
                "every": self.backend.steps_per_call,
                "proven": self.backend.proven and name != WARM,
            }

    def visit(self, worker: Process, marks: bool) -> Reply:
        """Runs every round, the throughput's first: a journal's visit. Raises `CaseFailed`."""
        layout = self._ask_start(WARM, 1)
        worker.region.copy_from(self.judge.region, layout)
        ask(worker, "put", arrays=layout)
        ask(worker, "run", mode=THROUGHPUT, calls=1)
        throughput = self.round(worker, THROUGHPUT, self.calls)
        latency = self.round(worker, LATENCY, self.calls)
        device = self.round(worker, DEVICE, self.calls) if marks else None
        ask(worker, "settle")
        throughput.check_calls(throughput.run.get("queued"), self.calls)
        latency.check_calls(latency.run["seconds"], self.calls)
        rounds = [each for each in (throughput, latency, device) if each]
        run: Mapping[str, Any] = throughput.run
        return {
            "steps": self.steps,
            "throughput_seconds": throughput.run["seconds"],
            "dispatch_seconds": throughput.run.get("queued"),
            "latency_seconds": latency.run["seconds"],
            "throughput_call_seconds": throughput.run.get("calls"),
            "latency_call_seconds": latency.run.get("calls"),
            "device_seconds": device.run["seconds"] if device else None,
            **{name: run.get(name) for name in COUNTERS},
            "readback_seconds": throughput.readback_seconds,
            "errors": worst([each.errors for each in rounds]),
        }

    def round(self, worker: Process, name: str, calls: int) -> TimedRound:
        """State in, calls and a wait, losses and state out; then the judge's verdict."""
        mode = name if name in (LATENCY, DEVICE) else THROUGHPUT
        layout = self._ask_start(name, calls)
        start = perf_counter()
        worker.region.copy_from(self.judge.region, layout)
        ask(worker, "put", arrays=layout)
        placed = perf_counter()
        run: Any = ask(worker, "run", mode=mode, calls=calls)
        ran = perf_counter()
        taken = ask(worker, "take")
        copy_arrays(worker, taken, self.judge)  # what a worker writes from here on is not read
        end = perf_counter()
        if what := fault(run, RunReply) or fault(taken, TakeReply):
            raise CaseFailed("failed", f"answers with a round whose {what}")
        errors = None
        if self.backend.proven:
            round_name = self._name(name, calls)
            judged = judge_copied(self.judge, taken, "judged", name=round_name)
            errors = judged["errors"]
        times = placed - start, ran - placed, end - ran
        return TimedRound(run, taken["readback_seconds"], errors, *times)

    def _ask_start(self, name: str, calls: int) -> Any:
        """The layout of the state in which a round starts, in the judge's region."""
        return ask_judge(self.judge, "start", name=self._name(name, calls))["arrays"]

    def _name(self, name: str, calls: int) -> str:
        """Cases of one shape and dtype share the rounds of a block: one reference proves all."""
        every = self.backend.steps_per_call
        return f"{self.block} {self.case.shape} {self.case.dtype} {name} {calls * every}/{every}"


def worst(errors: Sequence[Mapping[str, Any] | None]) -> Reply | None:
    """The largest of each error; noisy runs add up."""
    some = [each for each in errors if each]
    if not some:
        return None
    names = some[0]["arrays"]
    return {
        "share": max(each["share"] for each in some),
        "arrays": {name: max(each["arrays"][name] for each in some) for name in names},
        "noisy_runs": sum(each["noisy_runs"] for each in some),
    }
