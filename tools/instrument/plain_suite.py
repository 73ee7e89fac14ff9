"""The steps as a plain pytest-benchmark suite, the way it is usually written: one process, one after the other."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from steps import PATHS, SEED

from backends.api import Problem
from bench.plan import discovery


@pytest.mark.parametrize("name", [*SEED, "slowed_1", "slowed_2", "slowed_3", "slowed_5"])
def test_step(name: str, benchmark: BenchmarkFixture) -> None:
    step = discovery.load(PATHS[name])(Problem.random(), "cpu", "float32")
    step.step()
    benchmark(step.step)
