"""Noisy runs scatter as far as honest steps differ, also where errors do not average out."""

import re

import numpy as np
import pytest

from bench.errors import Wrong
from bench.judge.diagnosis import mistakes
from bench.judge.noise import Noise, sample
from tests.proving import REGRESSION, judge_of, numpy_step, prove, regression_with

DECAY = (
    ('"learning_rate": 0.01', '"learning_rate": 1e-4, "beta": 0.999'),
    ("def step(data, state, learning_rate):", "def step(data, state, learning_rate, beta):"),
    ("learning_rate * grad_w,", "learning_rate * grad_w / (1 - beta),"),
)


def decay(scale):
    """A step that divides by 1 - 0.999, which float32 rounds by 1.3e-5 of it."""

    def step(data, state, learning_rate, beta):
        x, y, w, b = data["x"], data["y"], state["w"], state["b"]
        error = x @ w + b - y
        grad_error = 2 * error / len(y)
        rate = learning_rate / scale(beta)
        new = {"w": w - rate * (x.T @ grad_error)}
        new["b"] = b - learning_rate * grad_error.sum(keepdims=True)
        return (error**2).sum() / len(y), new

    return step


def rounded_once(beta):
    return float(np.float32(1) - np.float32(beta))


@pytest.mark.parametrize("rounded", [lambda b: 1 - b, rounded_once])
def test_a_step_may_hold_its_constants_in_its_dtype(tmp_path, rounded):
    regression_with(tmp_path, *DECAY)
    assert prove(numpy_step(decay(rounded)), "float32", folder=tmp_path)["share"] <= 1


def test_a_wrong_constant_is_still_wrong(tmp_path):
    regression_with(tmp_path, *DECAY)
    for scale, dtype in ((lambda b: 1.001 * (1 - b), "float32"), (rounded_once, "float64")):
        with pytest.raises(Wrong):
            prove(numpy_step(decay(scale)), dtype, folder=tmp_path)


def test_a_constant_has_one_error_at_each_place():
    noise = Noise("float32", 0)
    first = [noise.constant(0.999), noise.constant(0.999)]
    noise.uses = 0
    assert [noise.constant(0.999), noise.constant(0.999)] == first
    assert first[0] != first[1]
    assert np.allclose(first, 0.999, rtol=1e-6)
    assert (noise.constant(0.5), Noise("float64", 0).constant(0.1)) == (0.5, 0.1)


def test_a_constant_has_the_same_error_in_all_steps(tmp_path):
    definition = regression_with(tmp_path, *DECAY)
    drawn, noise = definition.draw("7x5", "float32", 0), Noise("float32", 0)
    sample(definition, drawn, tuple(drawn.state.values()), 5, noise)
    assert len(noise.factors) == noise.uses == 3  # of beta once and of the learning rate twice


def test_infinities_carry_no_noise(tmp_path):
    definition = regression_with(
        tmp_path,
        ("    # loss", "    hidden = np.where(np.arange(len(y)) < 1, -np.inf, error)\n    # loss"),
        ("(error**2).sum()", "np.exp(hidden - hidden.max()).sum()"),
    )
    drawn = definition.draw("7x5", "float32", 0)
    run = sample(definition, drawn, tuple(drawn.state.values()), 2, Noise("float32", 1))
    exact = definition.run(drawn, tuple(drawn.state.values()), 2)
    assert np.allclose(run.losses, exact.losses, rtol=1e-4)
    assert not np.array_equal(run.losses, exact.losses)


def test_a_lone_number_may_be_off_by_its_own_rounding():
    question = judge_of(REGRESSION).question("nonce name", "7x5", "float64", 1, 1)
    exact = question.exact
    question.run = lambda noise: exact  # all noisy runs end where the exact one does
    assert question.allowed()["loss"] == pytest.approx(16 * 2**-53 * exact.losses[0], abs=0)


def test_a_large_mistake_is_named_although_its_rounding_is_large_too():
    ((hint, step),) = mistakes(REGRESSION)
    with pytest.raises(Wrong, match=re.escape(f"moves w and b 256 times as far as it should: {hint}")):
        prove(numpy_step(step), "float32", folder=REGRESSION)


def test_a_step_near_a_mistake_is_not_that_mistake():
    ((hint, step),) = mistakes(REGRESSION)

    def near(data, state, learning_rate):
        return step(data, state, 1.01 * learning_rate)

    with pytest.raises(Wrong) as wrong:
        prove(numpy_step(near), "float32", folder=REGRESSION)
    assert hint not in str(wrong.value)
