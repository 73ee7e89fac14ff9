"""Times a graded step and the baseline by the conductor's clock, in the same blocks.

A span lasts from handing the state over to having losses and state back, both copies inside. The
state is new each time and all results are due at the end, so what a step does for its result lies
inside, wherever it does it. What a span takes besides its steps is known from the baseline, whose own
clock can be believed, and subtracted.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.analyse.estimates import Replicates, undisturbed
from bench.analyse.verdicts import Estimate
from bench.grading import sandbox
from bench.measure.executor import Processes
from bench.measure.process import Failed, Process
from bench.measure.rounds import THROUGHPUT, Round, TimedCase, draw
from bench.plan.cases import Plan
from bench.schema.case import PEAK, Case
from bench.settings import MAX_STEPS

PEAK_MARGIN = 1.1
"""How much faster than at the measured peak a step's arithmetic may seem: a core's clock may rise."""
GRADED, BASELINE = "graded", "baseline"


@dataclass
class Spans:
    """What was timed of a grade."""

    steps: dict[str, int] = field(default_factory=dict)  # case → steps of a span
    seconds: dict[str, dict[int, list[float]]] = field(default_factory=lambda: {GRADED: {}, BASELINE: {}})
    """Case → pass → seconds of each span."""
    besides: dict[int, list[float]] = field(default_factory=dict)  # pass → those of the baseline without its steps

    def add(self, name: str, number: int, found: Round) -> None:
        self.seconds[name].setdefault(number, []).append(found.span_seconds)
        if name == BASELINE:
            self.besides.setdefault(number, []).append(found.span_seconds - found.run["seconds"])

    def log_seconds(self, name: str, passes: Sequence[int]) -> float:
        """Of an undisturbed step, from these passes."""
        spans = [np.array(self.seconds[name][number]) - self.overhead(passes) for number in passes]
        return undisturbed([np.maximum(each, 1e-9) / self.steps[name] for each in spans])

    def overhead(self, passes: Sequence[int]) -> float:
        """What the quickest span of a pass takes besides its steps: the median of passes."""
        return float(np.median([self.besides[n][int(np.argmin(self.seconds[BASELINE][n]))] for n in passes]))

    def estimates(self) -> tuple[Estimate, Estimate]:
        """The logarithms of the graded step's seconds, and of its ratio to the baseline.

        With one degree of freedom less than the jackknife's, for the quicker half of a few passes
        varies less than it should: with five passes 92 % of such intervals hold, of these 95 %.
        """
        graded, baseline = (Replicates.of(partial(self.log_seconds, n), [*self.seconds[n]]) for n in (GRADED, BASELINE))
        seconds, ratio = graded.estimate, (graded - baseline).estimate
        freedom = max(1, len(graded.without) - 2)
        return replace(seconds, freedom=freedom), replace(ratio, freedom=freedom)


class Timer(Processes):
    """Times one graded step after the other. The judge is the same, and what it has measured."""

    def __init__(self, plan: Plan) -> None:
        (self.baseline,) = plan.cases
        super().__init__(plan, plan.definition.region_bytes(self.baseline.shape))
        self.readable: Sequence[Path] = ()
        self.share = math.inf  # of the baseline's time, what its arithmetic takes at the peak; infinite until measured

    def worker(self, case: Case) -> Process:
        """A fresh interpreter in a sandbox. Raises `Failed`."""
        _, threads, memory, libraries = self._place(case)
        about = self._plan.settings, self._plan.side(case), self.readable, self._size
        worker = sandbox.start(*about, cpus=self.cpus(case), threads=threads, memory=memory)
        self._workers[case.key] = worker
        worker.ask("preload", libraries=[*libraries])
        return worker

    def time(self, plan: Plan, graded: Case, show: Callable[[str], None]) -> Spans:
        """Proves and times the graded step of `plan`, and the baseline. Raises `Failed` for what the step does wrong."""
        self._plan, settings, spans = plan, plan.settings, Spans()
        try:
            for number in range(settings.processes):
                show(f"pass {number + 1} of {settings.processes}")
                order, cases = random.Random(f"{settings.seed} {number}"), dict[str, TimedCase]()
                for name, case in ((GRADED, graded), (BASELINE, self.baseline)):
                    cases[name] = timed = self._open(case, elsewhere=number == 0)
                    spans.steps[name] = timed.steps
                    timed.worker.stop()
                for block in range(settings.blocks):
                    place = f"{number} {block}", THROUGHPUT
                    draw(self.judge, [timed.drawn(*place, timed.calls) for timed in cases.values()])
                    for name in order.sample([*cases], len(cases)):
                        timed = cases[name]
                        timed.worker.resume()
                        spans.add(name, number, timed.round(*place, timed.calls))
                        timed.worker.ask("settle")
                        timed.worker.stop()
                self._end_pass()
            self._check_arithmetic(spans)
        finally:
            self._end_pass()
        return spans

    def _end_pass(self) -> None:
        self.end_pass()
        self.judge.ask("forget")

    def _check_arithmetic(self, spans: Spans) -> None:
        """Raises `Failed` for less time than arithmetic takes, by the upper end of the ratio to the
        baseline: neighbors change a ratio less than seconds, and an honest step must not be refused."""
        ratio = float(np.exp(spans.estimates()[1].interval()[1]))
        attempts = 1 if math.isfinite(self.share) else 2  # a busy neighbor may have disturbed the first
        while ratio < self.share / PEAK_MARGIN:
            if not attempts:
                raise Failed(
                    "wrong",
                    f"takes {ratio:.2g} of the baseline's time at most, at the peak of this machine its arithmetic "
                    f"takes {self.share:.2g}: it does something else",
                )
            self.share, attempts = min(self.share, self._measure_share()), attempts - 1

    def _measure_share(self) -> float:
        """The share of the baseline's time that its arithmetic takes at the peak of this machine; 0
        without a control that measures the peak."""
        plan, baseline = self._plan, self.baseline
        for case in plan.controls:
            backend = plan.backend(case)
            work = backend.work.get(case.device, {}).get(case.dtype, (0, 0))[0]
            if backend.kind == PEAK and work and case.dtype == baseline.dtype:
                operations = plan.definition.operations(baseline.shape) * plan.backend(baseline).steps_per_call
                at_peak = operations * self._quickest_call(case) / (work * case.threads)
                return at_peak / self._quickest_call(baseline)
        return 0.0

    def _quickest_call(self, case: Case) -> float:
        """Seconds by the clock of a step of the project's own."""
        reply: Any = self._open(case, elsewhere=False).worker.ask("run", mode=THROUGHPUT, calls=MAX_STEPS)
        self.end_worker(case)
        return float(min(reply["calls"] or [reply["seconds"] / MAX_STEPS]))

    def _open(self, case: Case, elsewhere: bool) -> TimedCase:
        """A case in a new worker, proven."""
        timed = TimedCase(self.judge, case, self._plan.backend(case), MAX_STEPS)
        timed.open(self, elsewhere)
        return timed
