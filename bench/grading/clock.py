"""Times a graded step and the baseline by the conductor's clock, in the same blocks.

A span lasts from handing the state over to having losses and state back, both copies inside. The
state is new each time and all results are due at the end, so what a step does for its result lies
inside, wherever it does it. What a span takes besides its steps is known from the baseline, whose own
clock can be believed, and subtracted.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench import units
from bench.analyse.estimates import Replicates, undisturbed
from bench.analyse.verdicts import Estimate
from bench.grading import sandbox
from bench.grading.sandbox import SandboxedProcess
from bench.measure import proving
from bench.measure.asking import CaseFailed, ask, ask_judge
from bench.measure.executor import Processes
from bench.measure.process import Process
from bench.measure.rounds import THROUGHPUT, VisitPlan
from bench.plan.cases import Plan
from bench.schema.case import PEAK, Case
from bench.settings import MAX_STEPS

PEAK_MARGIN = 1.1
"""How much faster than at the measured peak a step's arithmetic may seem: a core's clock may rise."""
STOPPED_CPU = 0.005
"""CPU seconds for which a stopped process may compute; next to a busy neighbor it is 0.0001."""
GRADED, BASELINE = "graded", "baseline"


@dataclass
class Spans:
    """What was timed of a grade, by case and pass."""

    steps: dict[str, int]
    """Of a span."""
    seconds: dict[str, dict[int, list[float]]] = field(default_factory=dict)
    """Of each span."""
    besides: dict[int, list[float]] = field(default_factory=dict)
    """Of each span of the baseline, without its steps."""

    def log_seconds(self, name: str, passes: Sequence[int]) -> float:
        """Of an undisturbed step, from these passes."""
        overhead = self.overhead(passes)
        spans = [np.array(self.seconds[name][number]) for number in passes]
        return undisturbed([np.maximum(s - overhead, 1e-9) / self.steps[name] for s in spans])

    def overhead(self, passes: Sequence[int]) -> float:
        """What the quickest span of a pass takes besides its steps: the median of passes."""
        spans, besides = self.seconds[BASELINE], self.besides
        return float(np.median([besides[n][int(np.argmin(spans[n]))] for n in passes]))

    def estimate(self, name: str) -> Replicates:
        """Log seconds per step, with a pass left out at a time."""
        passes = [*self.seconds[name]]
        others = [[n for n in passes if n != out] or passes for out in passes]
        without = np.array([self.log_seconds(name, some) for some in others])
        return Replicates(self.log_seconds(name, passes), without)

    def estimates(self) -> tuple[Estimate, Estimate]:
        """The logarithms of the graded step's seconds, and of its ratio to the baseline.

        With one degree of freedom less than the jackknife's, for the quicker half of a few passes
        varies less than it should: with five passes 92 % of such intervals hold, of these 95 %.
        """
        graded, baseline = self.estimate(GRADED), self.estimate(BASELINE)
        seconds, ratio = graded.estimate, (graded - baseline).estimate
        freedom = max(1, len(graded.without) - 2)
        return replace(seconds, freedom=freedom), replace(ratio, freedom=freedom)


class Timer(Processes):
    """Times one graded step after the other. The judge is the same, and what it has measured."""

    def __init__(self, plan: Plan) -> None:
        """`plan` has one case, the baseline."""
        (self.baseline,) = plan.cases
        super().__init__(plan, plan.definition.region_bytes(self.baseline.shape))
        self.readable: Sequence[Path] = ()
        self.share = math.inf
        """Of the baseline's time, what its arithmetic takes at the peak; infinite until measured."""

    def __enter__(self) -> Timer:
        super().__enter__()
        self.started_judge = self.judge()
        return self

    def worker(self, case: Case) -> SandboxedProcess:
        """A fresh interpreter in a sandbox. Raises `CaseFailed`."""
        spec = replace(self._spec(case), cpus=self.cpus(case))
        try:
            return sandbox.start(spec, self._plan.settings, self._size, self.readable)
        except OSError as error:
            raise CaseFailed("failed", f"cannot be started: {error.strerror}") from None

    def time(self, plan: Plan, graded: Case, show: Callable[[str], None]) -> Spans:
        """Proves and times the graded step of `plan`, and the baseline.

        Raises `CaseFailed` for what the graded step does wrong.
        """
        self._plan = plan
        timing = _Timing(plan, {GRADED: graded, BASELINE: self.baseline}, self)
        try:
            for number in range(plan.settings.processes):
                show(f"pass {number + 1} of {plan.settings.processes}")
                timing.take_pass(number)
        finally:
            timing.end_workers()
            ask_judge(self.started_judge, "forget")
        self._check_arithmetic(timing)
        return timing.spans

    def _check_arithmetic(self, timing: _Timing) -> None:
        """Raises `CaseFailed` for less time than arithmetic takes, by the upper end of the ratio to the
        baseline: neighbors change a ratio less than seconds, and an honest step must not be refused."""
        ratio = float(np.exp(timing.spans.estimates()[1].interval()[1]))
        for measure in (math.isinf(self.share), True):
            if measure:  # a busy neighbor may have disturbed the first
                self.share = min(self.share, timing.measure_share())
            if ratio >= self.share / PEAK_MARGIN:
                return
        raise CaseFailed(
            "wrong",
            f"takes {ratio:.2g} of the baseline's time at most, at the peak of this machine its arithmetic "
            f"takes {self.share:.2g}: it does something else",
        )


class _Timing:
    def __init__(self, plan: Plan, cases: dict[str, Case], timer: Timer) -> None:
        self.plan, self.cases, self.timer = plan, cases, timer
        self.judge: Process = timer.started_judge
        self.workers: dict[str, SandboxedProcess] = {}
        visits = {name: self._visit_plan(case, "steps") for name, case in cases.items()}
        self.spans = Spans({name: visit.steps for name, visit in visits.items()})

    def take_pass(self, number: int) -> None:
        order = random.Random(f"{self.plan.settings.seed} {number}")
        for name, case in self.cases.items():
            worker = self.workers[name] = self.timer.worker(case)
            self._open(worker, case, "rehearsal", elsewhere=number == 0)
            worker.stop()
        for block in range(self.plan.settings.blocks):
            ask_judge(self.judge, "draw", blocks=[[*self._draws(number, block)]])
            for name in order.sample([*self.cases], len(self.cases)):
                self._span(name, number, block)
        self.end_workers()
        ask_judge(self.judge, "forget")

    def end_workers(self) -> None:
        while self.workers:
            self.workers.popitem()[1].end()

    def measure_share(self) -> float:
        """The share of the baseline's time that its arithmetic takes at the peak of this machine; 0
        without a control that measures the peak."""
        baseline = self.cases[BASELINE]
        for case in self.plan.controls:
            backend = self.plan.backend(case)
            work = backend.work.get(case.device, {}).get(case.dtype, (0, 0))[0]
            if backend.kind == PEAK and work and case.dtype == baseline.dtype:
                operations = self.plan.definition.operations(baseline.shape)
                at_peak = operations * self._quickest_call(case) / (work * case.threads)
                steps = self.plan.backend(baseline).steps_per_call
                return at_peak * steps / self._quickest_call(baseline)
        return 0.0

    def _quickest_call(self, case: Case) -> float:
        """Seconds by the clock of a step of the project's own."""
        with self.timer.worker(case) as worker:
            self._open(worker, case, "peak", elsewhere=False)
            reply: Any = ask(worker, "run", mode=THROUGHPUT, calls=MAX_STEPS)
        return float(min(reply["calls"] or [reply["seconds"] / MAX_STEPS]))

    def _open(self, worker: Process, case: Case, block: str, elsewhere: bool) -> None:
        cpus = self.timer.cpus(case)
        proving.open_case(worker, self._visit_plan(case, block), cpus, elsewhere)

    def _span(self, name: str, number: int, block: int) -> None:
        worker, case = self.workers[name], self.cases[name]
        worker.resume()
        if (took := worker.cpu_seconds_while_stopped) > STOPPED_CPU:
            raise CaseFailed(
                "wrong",
                f"computes for {units.seconds(took)} while it is stopped and the baseline is timed",
            )
        plan = self._visit_plan(case, f"{number} {block}")
        timed = plan.round(worker, THROUGHPUT, plan.calls)
        ask(worker, "settle")
        self.spans.seconds.setdefault(name, {}).setdefault(number, []).append(timed.span_seconds)
        if name == BASELINE:
            besides = timed.span_seconds - timed.run["seconds"]
            self.spans.besides.setdefault(number, []).append(besides)
        worker.stop()

    def _draws(self, number: int, block: int) -> Iterator[dict[str, Any]]:
        """The rounds of a block; both cases have the same start if their calls are as long."""
        plans = [self._visit_plan(case, f"{number} {block}") for case in self.cases.values()]
        draws = [each for plan in plans for each in plan.draws({THROUGHPUT: plan.calls})]
        yield from {each["name"]: each for each in draws}.values()

    def _visit_plan(self, case: Case, block: str) -> VisitPlan:
        return VisitPlan.of(self.judge, self.plan, case, MAX_STEPS, block)
