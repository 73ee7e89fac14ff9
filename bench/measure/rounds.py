"""A case as it is timed: rounds from the judge's state to the judge's verdict.

The judge is asked before and after a round, never while a step runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from bench.conversation import Reply
from bench.measure.executor import Judge
from bench.measure.process import Failed, Process
from bench.plan.cases import Plan
from bench.plan.sides import Backend
from bench.schema.case import Case
from bench.schema.checking import fault
from bench.schema.records import RunReply

GRAIN = 2e-9
"""Seconds by which a call that is reported to the nanosecond may be off."""
WARM, THROUGHPUT, LATENCY, DEVICE = "warm", "throughput", "latency", "device"


@dataclass(frozen=True)
class Round:
    """What came of one round."""

    run: RunReply
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


@dataclass
class TimedCase:
    """A case, how long its rounds are, and the processes that prove it and take its steps."""

    judge: Judge
    case: Case
    backend: Backend
    calls: int
    """Of a round, at least one."""
    worker: Process = field(init=False)
    """Of the current pass."""
    marks: bool = False
    """Whether its device has a clock of its own; known once the step is open."""

    @classmethod
    def of(cls, judge: Judge, plan: Plan, case: Case, steps: int) -> TimedCase:
        """With rounds of about so many steps."""
        backend = plan.backend(case)
        return cls(judge, case, backend, max(1, steps // backend.steps_per_call))

    @property
    def place(self) -> dict[str, str]:
        """What the judge knows of a case."""
        return {"shape": self.case.shape, "dtype": self.case.dtype}

    @property
    def steps(self) -> int:
        return self.calls * self.backend.steps_per_call

    def rounds(self, marks: bool) -> dict[str, int]:
        """The rounds of a visit, and the calls of each."""
        lengths = {WARM: 1, THROUGHPUT: self.calls, LATENCY: self.calls}
        return lengths | ({DEVICE: self.calls} if marks else {})

    def drawn(self, block: str, mode: str, calls: int) -> dict[str, Any]:
        """What the judge has to draw for a round. Cases of one shape and dtype share the rounds of a
        block: one reference proves all."""
        every = self.backend.steps_per_call
        name = f"{block} {self.case.shape} {self.case.dtype} {mode} {calls * every}/{every}"
        proven = self.backend.proven and mode != WARM
        return {**self.place, "name": name, "steps": calls * every, "every": every, "proven": proven}

    def visit(self, block: str) -> Reply:
        """Runs every round, the throughput's first: a journal's visit. Raises `Failed`."""
        self.worker.ask("put", arrays=self.worker.copied(self.judge, self._ask_start(block, WARM, 1)))
        self.worker.ask("run", mode=THROUGHPUT, calls=1)
        throughput = self.round(block, THROUGHPUT, self.calls)
        latency = self.round(block, LATENCY, self.calls)
        device = self.round(block, DEVICE, self.calls) if self.marks else None
        self.worker.ask("settle")
        _check_calls(throughput.run, throughput.run.get("queued"), self.calls)
        _check_calls(latency.run, latency.run["seconds"], self.calls)
        return {
            "steps": self.steps,
            "throughput_seconds": throughput.run["seconds"],
            "dispatch_seconds": throughput.run.get("queued"),
            "latency_seconds": latency.run["seconds"],
            "throughput_call_seconds": throughput.run.get("calls"),
            "latency_call_seconds": latency.run.get("calls"),
            "device_seconds": device.run["seconds"] if device else None,
            "minor_faults": throughput.run.get("minor_faults"),
            "errors": worst([each.errors for each in (throughput, latency, device) if each]),
        }

    def round(self, block: str, mode: str, calls: int) -> Round:
        """State in, calls and a wait, losses and state out; then the judge's verdict. Raises `Failed`."""
        worker, state = self.worker, self._ask_start(block, mode, calls)
        start = perf_counter()
        worker.ask("put", arrays=worker.copied(self.judge, state))
        placed = perf_counter()
        run: Any = worker.ask("run", mode=mode, calls=calls)
        ran = perf_counter()
        layout = self.judge.copied(worker, worker.ask("take"))  # what a worker writes from here on is not read
        end = perf_counter()
        if what := fault(run, RunReply):
            raise Failed("failed", f"answers with a round whose {what}")
        errors = None
        if self.backend.proven:
            errors = self.judge.ask("judged", name=self.drawn(block, mode, calls)["name"], arrays=layout)["errors"]
        return Round(run, errors, placed - start, ran - placed, end - ran)

    def _ask_start(self, block: str, mode: str, calls: int) -> Reply:
        """The state in which a round starts."""
        return self.judge.ask("start", name=self.drawn(block, mode, calls)["name"])


def draw(judge: Judge, *blocks: Iterable[dict[str, Any]]) -> Any:
    """Has the judge draw the rounds of these blocks, each round once; the nonces of the blocks.

    A round is trained if one of the cases that share it is proven.
    """
    merged = [{each["name"]: each for each in sorted(block, key=lambda each: each["proven"])} for block in blocks]
    return judge.ask("draw", blocks=[[*rounds.values()] for rounds in merged])["nonces"]


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


def _check_calls(run: RunReply, whole: float | None, number: int) -> None:
    """Raises `Failed` unless the calls are as many as asked for and add up to `whole`."""
    calls = run.get("calls")
    if calls is not None and whole is not None and (len(calls) != number or abs(sum(calls) - whole) > number * GRAIN):
        reported = f"reports {len(calls)} calls that take {sum(calls):.3g} s"
        raise Failed("wrong", f"{reported}, {number} take {whole:.3g} s")
