"""If these fail, problems are not what their docstrings promise, and every backend trains on something else."""

import numpy as np
import pytest

from backends.api import Problem, TrainStep, steady_learning_rate


def test_problem_is_reproducible_read_only_float64():
    a, b = Problem.random(seed=3), Problem.random(seed=3)
    for name in ("x", "y", "w1", "w2"):
        array = getattr(a, name)
        assert array.dtype == np.float64
        assert not array.flags.writeable
        assert np.array_equal(array, getattr(b, name))
    assert not np.array_equal(a.x, Problem.random(seed=4).x)


def test_flops_of_the_default_problem():
    assert Problem.random().flops == 25_984_000
    assert Problem.random().shape == (64, 1000, 100, 10)
    assert Problem.random().learning_rate == 1e-6


def test_shapes_that_do_not_fit_are_refused():
    p = Problem.random(2, 3, 4, 5)
    with pytest.raises(ValueError, match=r"Problem.w1 is float64 \(4, 3\), expected float64 \(3, 4\)"):
        Problem(p.x, p.y, p.w1.T.copy(), p.w2)
    with pytest.raises(ValueError, match=r"Problem.y is float32"):
        Problem(p.x, p.y.astype(np.float32), p.w1, p.w2)


@pytest.mark.parametrize("shape", [(64, 1000, 100, 10), (1, 1, 1, 1), (512, 1000, 100, 10), (7, 13, 5, 3)])
def test_the_steady_learning_rate_makes_the_loss_fall(shape):
    from backends import reference

    losses = reference.train(Problem.random(*shape, seed=1, learning_rate=steady_learning_rate(*shape)), 20).losses
    assert losses[-1] < losses[0]
    assert losses.max() == losses[0]


def test_a_step_says_why_it_cannot_run():
    assert TrainStep.why_not("cpu", "float32") is None
    assert TrainStep.why_not("cuda:1", "float32") == "has code for cpu only, not for cuda:1"
    assert TrainStep.why_not("xpu", "float32") == "has code for cpu only, not for xpu"
    assert TrainStep.why_not("cpu", "float16") == "has code for float32, float64 only, not for float16"
