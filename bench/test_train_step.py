"""The pytest-benchmark face: one benchmark per case, with the rounds that the workers measured.

Nothing is timed here. `bench.pytest_plugin` gives the parameters and has measured or proven the cases before the first test.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.pytest_plugin import Outcome


class ReplayClock:
    """A timer for `pytest.mark.benchmark(timer=clock)`, with `clock.step` as the function to be timed.

    pytest-benchmark reads its timer once before and once after each call: the first reading is 0, the second is the
    recorded duration, so no digit is lost to a running sum.
    """

    now = 0.0
    rounds: Iterator[float]
    """Seconds of each round to come, in measured order."""

    def __repr__(self) -> str:
        return "stepbench worker (time.perf_counter)"

    def step(self) -> None:
        self.now = next(self.rounds)

    def __call__(self) -> float:
        now, self.now = self.now, 0.0
        return now


clock = ReplayClock()


@pytest.mark.benchmark(timer=clock)
def test_train_step(outcome: Outcome, benchmark: BenchmarkFixture) -> None:
    """One training step, proven before and after it was timed; the benchmark's rounds are seconds per step."""
    if outcome.failure:
        benchmark.disabled = True  # nothing to time, nothing to save; the fixture warns if it goes unused
        benchmark(pytest.fail, outcome.failure, pytrace=False)
    clock.rounds = iter(outcome.rounds)
    benchmark.group = outcome.group
    benchmark.extra_info.update(outcome.facts)
    benchmark.pedantic(clock.step, rounds=len(outcome.rounds))
