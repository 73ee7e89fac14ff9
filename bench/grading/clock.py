"""Times a graded step and the baseline by the conductor's clock, in the same blocks.

A span lasts from sending the state to having losses and state back. The state is new each time and
all results are due at the end, so what a step does for its result lies inside, wherever it does it.
What a span takes besides its steps is measured on the baseline, from two lengths, and subtracted.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bench import units
from bench.analyse.single_steps import figures, relative_to
from bench.analyse.verdicts import Estimate
from bench.grading.sandbox import SandboxedProcess
from bench.measure import proving
from bench.measure.asking import CaseFailed, Handle, ask, ask_judge
from bench.measure.executor import Processes
from bench.measure.rounds import THROUGHPUT, VisitPlan
from bench.plan.cases import Plan
from bench.record.frame import Singles
from bench.schema.case import PEAK, Case
from bench.settings import MAX_STEPS

BUSY = 1.25
"""CPU time over span and threads: a quarter for the harness's own part of a span, which is less."""
PEAK_MARGIN = 1.1
"""How much faster than at the measured peak a step's arithmetic may seem: a core's clock may rise."""
STOPPED_CPU = 0.005
"""CPU seconds for which a stopped process may compute; next to a busy neighbor it is 0.0001."""
LONG, SHORT = "long", "short"


@dataclass
class Spans:
    """What was timed of a grade: seconds per pass and block, by case and length."""

    cases: dict[str, Case]
    steps: dict[str, int]
    """Of a long span."""
    seconds: dict[tuple[str, str], dict[int, list[float]]] = field(default_factory=dict)
    cpu: list[tuple[float, float]] = field(default_factory=list)
    """CPU seconds and seconds of each span of the graded step."""
    peak: float = 0.0
    """Operations per second; 0 where none was measured."""

    def singles(self, baseline: str) -> dict[str, Singles]:
        """Seconds per step of each span, without what a span takes besides its steps."""
        long, short = (self.seconds[baseline, length] for length in (LONG, SHORT))
        beside = [2 * min(short[number]) - min(long[number]) for number in long]
        overhead = max(0.0, float(np.median(beside)))
        return {
            name: Singles(
                {
                    number: np.maximum((np.array(spans) - overhead) / self.steps[name], 1e-9)
                    for number, spans in self.seconds[name, LONG].items()
                },
                singly=True,
            )
            for name in self.cases
        }


class GradingProcesses(Processes):
    """Workers in a sandbox each, fresh interpreters."""

    def __init__(self, plan: Plan, size: int, prefix: list[str]) -> None:
        super().__init__(plan, size)
        self._prefix = prefix

    def begin_pass(self, cases: Any) -> None:
        """Nothing is forked."""

    def worker(self, case: Case) -> SandboxedProcess:
        settings = self._plan.settings
        spec = replace(self._spec(case), cpus=self.cpus(case))
        try:
            return SandboxedProcess.start(
                "bench.worker",
                spec.setup,
                spec.environment(settings),
                settings.timeout,
                self._size,
                spec.side.python,
                prefix=self._prefix,
            )
        except OSError as error:
            raise CaseFailed("failed", f"cannot be started: {error.strerror}") from None


def time_spans(
    plan: Plan, graded: Case, baseline: Case, prefix: list[str], show: Callable[[str], None]
) -> Spans:
    """Proves and times both. Raises `CaseFailed` for what the graded step does wrong."""
    size = plan.definition.region_bytes(graded.shape)
    executor = GradingProcesses(plan, size, prefix)
    with executor:
        timing = _Timing(plan, graded, baseline, executor)
        try:
            for number in range(plan.settings.processes):
                show(f"pass {number + 1} of {plan.settings.processes}")
                timing.take_pass(number)
        finally:
            timing.end_workers()
    timing.check()
    return timing.spans


def estimate(spans: Spans, graded: str, baseline: str) -> tuple[dict[str, float], Estimate]:
    """The columns of the graded step's undisturbed time, and its log ratio to the baseline."""
    singles = spans.singles(baseline)
    return figures(singles[graded]), relative_to(singles, graded, [baseline]).estimate


class _Timing:
    def __init__(
        self, plan: Plan, graded: Case, baseline: Case, executor: GradingProcesses
    ) -> None:
        self.plan, self.executor = plan, executor
        self.graded, self.baseline = graded, baseline
        self.judge = executor.judge()
        self.workers: dict[str, SandboxedProcess] = {}
        cases = {"graded": graded, "baseline": baseline}
        plans = {name: self._visit_plan(case, "steps") for name, case in cases.items()}
        self.spans = Spans(cases, {name: plan.steps for name, plan in plans.items()})

    def take_pass(self, number: int) -> None:
        order = random.Random(f"{self.plan.settings.seed} {number}")
        for name, case in self.spans.cases.items():
            self._start(name, case, number)
        for block in range(self.plan.settings.blocks):
            spans = [(name, length) for name in self.spans.cases for length in (LONG, SHORT)]
            ask_judge(self.judge, "draw", blocks=[[*self._draws(number, block)]])
            for name, length in order.sample(spans, len(spans)):
                if (name, length) != ("graded", SHORT):
                    self._span(name, length, number, block)
        if number == 0:
            self._measure_peak()
        self.end_workers()
        ask_judge(self.judge, "forget")

    def end_workers(self) -> None:
        while self.workers:
            self.workers.popitem()[1].end()

    def check(self) -> None:
        """Raises `CaseFailed` for more cores than asked for or less time than arithmetic takes."""
        cpu, wall = (sum(values) for values in zip(*self.spans.cpu, strict=True))
        threads, queued = self.graded.threads, self.graded.device.partition(":")[0] != "cpu"
        if not queued and cpu > BUSY * threads * wall:
            raise CaseFailed("wrong", f"computes on {cpu / wall:.2g} cores, asked for {threads}")
        spans = self.spans.singles("baseline")["graded"].by_pass.values()
        seconds = min(float(np.min(each)) for each in spans)
        least = self.plan.definition.operations(self.graded.shape)
        if self.spans.peak and seconds < least / (PEAK_MARGIN * self.spans.peak):
            raise CaseFailed(
                "wrong",
                f"takes {units.seconds(seconds)} a step, less than its arithmetic takes at the "
                f"peak of this machine ({units.seconds(least / self.spans.peak)}): it does "
                "something else",
            )

    def _start(self, name: str, case: Case, number: int) -> None:
        backend = self.plan.backend(case)
        worker = self.workers[name] = self.executor.worker(case)
        libraries, cpus = list(backend.libraries), self.executor.cpus(case)
        ask(worker, "load", path=backend.path, libraries=libraries, cpus=cpus)
        plan = self._visit_plan(case, "rehearsal")
        proving.open_case(worker, plan, elsewhere=number == 0)
        worker.stop()

    def _span(self, name: str, length: str, number: int, block: int) -> None:
        worker, case = self.workers[name], self.spans.cases[name]
        worker.resume()
        if (took := worker.cpu_seconds_while_stopped) > STOPPED_CPU:
            raise CaseFailed(
                "wrong",
                f"computes for {units.seconds(took)} while it is stopped and the baseline is timed",
            )
        plan = self._visit_plan(case, f"{number} {block}")
        calls = plan.calls if length == LONG else plan.calls // 2
        cpu = worker.cpu_seconds()
        timed = plan.round(worker, THROUGHPUT, calls)
        ask(worker, "settle")
        if name == "graded":
            self.spans.cpu.append((worker.cpu_seconds() - cpu, timed.span_seconds))
        seconds = self.spans.seconds.setdefault((name, length), {})
        seconds.setdefault(number, []).append(timed.span_seconds)
        worker.stop()

    def _draws(self, number: int, block: int) -> Iterator[dict[str, Any]]:
        seen = set()
        for case in self.spans.cases.values():
            plan = self._visit_plan(case, f"{number} {block}")
            for calls in (plan.calls, plan.calls // 2):
                for each in plan.draws({THROUGHPUT: calls}):
                    if each["name"] not in seen:
                        seen.add(each["name"])
                        yield each

    def _visit_plan(self, case: Case, block: str) -> VisitPlan:
        backend = self.plan.backend(case)
        calls = max(2, MAX_STEPS // backend.steps_per_call)
        small = len(self.plan.definition.small)
        return VisitPlan(self.judge, case, backend, calls, block, small)

    def _measure_peak(self) -> None:
        """The rate of the peak of arithmetic that the machine has, if one can be measured."""
        for case in self.plan.controls:
            backend = self.plan.backend(case)
            work = backend.work.get(case.device, {}).get(case.dtype, (0, 0))[0]
            if backend.kind != PEAK or not work or case.dtype != self.graded.dtype:
                continue
            worker: Handle = self.executor.worker(case)
            try:
                libraries, cpus = list(backend.libraries), self.executor.cpus(case)
                ask(worker, "load", path=backend.path, libraries=libraries, cpus=cpus)
                proving.open_case(worker, self._visit_plan(case, "peak"), elsewhere=False)
                reply = ask(worker, "run", mode=THROUGHPUT, calls=MAX_STEPS)
                self.spans.peak = work * case.threads / min(reply["calls"])
            finally:
                worker.end()
