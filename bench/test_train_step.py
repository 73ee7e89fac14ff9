"""The pytest-benchmark face: one benchmark per case, with the rounds that the workers measured.

Nothing is timed here. `bench.pytest_plugin` gives the parameters and has measured or proven the cases before the first test.
"""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.pytest_plugin import Outcome
from bench.pytest_plugin.replay import ReplayClock

clock = ReplayClock()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if not metafunc.config.pluginmanager.hasplugin("bench.pytest_plugin"):
        raise pytest.Collector.CollectError("stepbench's plugin is not loaded; add `-p bench.pytest_plugin`.")


@pytest.mark.benchmark(timer=clock)
def test_train_step(outcome: Outcome, benchmark: BenchmarkFixture) -> None:
    """One training step, proven before and after it was timed; the benchmark's rounds are seconds per step."""
    if outcome.failure:
        benchmark.disabled = True  # nothing to time, nothing to save; the fixture warns if it goes unused
        benchmark(pytest.fail, outcome.failure, pytrace=False)
    benchmark.cprofile = False  # it would profile the replay
    clock.load(outcome.rounds)
    benchmark.group = outcome.group
    benchmark.extra_info.update(outcome.facts)
    benchmark.pedantic(clock.step, rounds=len(outcome.rounds))
