"""If these fail, problems are not as promised, and every backend trains on another one."""

import numpy as np
import pytest

from backends.api import TrainStep
from bench.paths import BACKENDS
from bench.problem import Definition
from tests.support import a_problem

DEFINITION = Definition.load(BACKENDS)


def test_a_problem_is_reproducible_and_read_only():
    first, again = a_problem(seed=3), a_problem(seed=3)
    for name in ("x", "y", "w1", "w2"):
        array = getattr(first, name)
        assert array.dtype == np.float64
        assert not array.flags.writeable
        assert np.array_equal(array, getattr(again, name))
    assert not np.array_equal(first.x, a_problem(seed=4).x)
    with pytest.raises(AttributeError, match="named 'w3'"):
        first.w3  # noqa: B018


def test_the_default_problem_takes_26_million_operations():
    assert DEFINITION.operations(DEFINITION.default) == 25_984_000
    assert DEFINITION.constants(DEFINITION.default) == {"learning_rate": 1e-6}


@pytest.mark.parametrize("shape", ["64x1000x100x10", "1x1x1x1", "7x13x5x3"])
def test_training_makes_the_loss_fall(shape):
    problem = a_problem(shape, seed=1)
    losses = DEFINITION.run(problem, tuple(problem.state.values()), 20).losses
    assert losses[-1] < losses[0] == losses.max()


def test_a_step_says_why_it_cannot_run():
    assert TrainStep.why_not("cpu", "float32") is None
    assert TrainStep.why_not("cuda:1", "float32") == "has code for cpu only, not for cuda:1"
    wanted = "has code for float32, float64 only, not for float16"
    assert TrainStep.why_not("cpu", "float16") == wanted
