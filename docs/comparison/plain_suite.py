"""The five steps as a plain pytest-benchmark suite, the way it is usually written: one process, one after the other."""

import pytest

from backends.api import Problem
from bench import discovery

NAMES = ["numpy_manual", "torch_manual", "torch_autograd", "torch_detach", "torch_function"]


@pytest.mark.parametrize("name", NAMES)
def test_step(name, benchmark):
    step = discovery.load(discovery.BACKENDS / f"{name}.py")(Problem.random(), "cpu", "float32")
    step.step()
    benchmark(step.step)
