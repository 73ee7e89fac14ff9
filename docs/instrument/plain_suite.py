"""The steps as a plain pytest-benchmark suite, the way it is usually written: one process, one after the other."""

from pathlib import Path

import pytest

from backends.api import Problem
from bench import discovery

SEED = ["numpy_manual", "torch_manual", "torch_autograd", "torch_detach", "torch_function"]
PATHS = discovery.find([discovery.BACKENDS, Path(__file__).parent / "slowed"])


@pytest.mark.parametrize("name", [*SEED, "slowed_1", "slowed_2", "slowed_3", "slowed_5"])
def test_step(name, benchmark):
    step = discovery.load(PATHS[name])(Problem.random(), "cpu", "float32")
    step.step()
    benchmark(step.step)
