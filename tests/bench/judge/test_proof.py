"""If these fail, the judge allows a step more or less than it says, or misdirects its author."""

from dataclasses import replace

import numpy as np
import pytest

from backends import reference
from backends.api import DTYPES, Problem, steady_learning_rate
from backends.numpy_manual import NumpyManual
from bench.errors import Wrong
from bench.judge import proof
from bench.judge.proof import TOLERANCE, Errors, compare

TOL, GRAIN = TOLERANCE["float64"], np.finfo("float64").eps
JUST = [(0.99, True), (1.01, False)]
"""Shares of what is allowed, and whether a step is right with them."""


def _trajectory(losses=(100.0,), start=((0.0, 0.0), (0.0, 0.0)), moved=((3.0, 0.0), (0.0, 4.0)), samples=1, **changes):
    """Both layers start and move alike: from 0 by 3 and 4 in two of their weights, a norm of 5."""
    begin = np.array(start)
    end = begin + moved
    losses = np.array(losses)
    none = np.zeros((len(losses), samples, 1), bool)
    return reference.Trajectory((begin, begin), losses, end, end.copy(), none, np.zeros(len(losses)), **changes)


def _judged(expected, right, *, w1=0.0, w2=0.0, losses=None):
    """Compares the expected end, off by `w1` and `w2` in one weight; the errors of a right step."""
    weights = [end.copy() for end in (expected.w1, expected.w2)]
    for array, off in zip(weights, (w1, w2), strict=True):
        array[1, 0] += off
    losses = expected.losses if losses is None else losses
    if right:
        return compare(expected, losses, tuple(weights), "float64")
    with pytest.raises(Wrong):
        compare(expected, losses, tuple(weights), "float64")
    return None


def _layers(name, first, second):
    return (first, second) if name == "w1" else (second, first)


def _off(once, each):
    """Four standard deviations of what rounding does: both operands and the result by one, each addition by a tenth's root."""
    return 4 * np.sqrt(2 * (2.0**-53) ** 2 * once + (2.0**-53) ** 2 / 10 * each)


ROUNDED = [(0.0, 0.0), (1e4, 0.0), (0.0, 1e5), (1e4, 1e5)]
"""Variances of the products' errors, in units of one rounding."""


@pytest.mark.parametrize(("share", "right"), JUST)
@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("name", ["w1", "w2"])
@pytest.mark.parametrize("kink", [0.0, 0.1])
@pytest.mark.parametrize(("once", "each"), ROUNDED)
def test_an_update_may_be_off_by_the_tolerance_its_kinks_and_its_rounding(share, right, steps, name, kink, once, each):
    """Of a norm of 5, and rounding in every step; what the other layer and y_pred may be off by counts for nothing here."""
    kink_1, kink_2 = _layers(name, kink, 7.0)
    rounding = reference.Rounding((1e30, *_layers(name, once, 1e20)), (1e30, *_layers(name, each, 1e20)))
    expected = _trajectory((100.0,) * steps, kink_w1=kink_1, kink_w2=kink_2, rounding=rounding)
    errors = _judged(expected, right, **{name: share * (5 * TOL + 2 * kink + steps * _off(once, each))})
    if right:
        assert getattr(errors, name) == pytest.approx(share * TOL)
        assert (errors.loss, errors.kinks) == (0, 0)


@pytest.mark.parametrize(("share", "right"), JUST)
@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("name", ["w1", "w2"])
@pytest.mark.parametrize(("samples", "grains"), [(1, 1.5), (16, 6)])
def test_a_large_weight_is_judged_by_what_its_dtype_can_hold(share, right, steps, name, samples, grains):
    """Of four weights, one is 1e7: half a unit in its last place, as often as the root of the samples tells, once a step."""
    expected = _trajectory((100.0,) * steps, start=((0.0, 1e7), (0.0, 0.0)), samples=samples)
    errors = _judged(expected, right, **{name: share * (5 * TOL + steps * grains * GRAIN / 2 * 1e7)})
    if right:
        assert getattr(errors, name) == pytest.approx(share * TOL)


@pytest.mark.parametrize(("share", "right"), JUST)
@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("kink", [0.0, 0.25])
@pytest.mark.parametrize(("once", "each"), ROUNDED)
@pytest.mark.parametrize("sign", [1, -1])
def test_a_loss_may_be_off_by_the_tolerance_its_kinks_and_the_rounding_of_y_pred(share, right, place, kink, once, each, sign):
    """Of two steps, whose errors add up like those of a random walk; what the updates may be off by counts for nothing here."""
    kinks = np.zeros(2)
    kinks[place] = kink
    rounding = reference.Rounding((once, 1e30, 1e30), (each, 1e30, 1e30))
    expected = replace(_trajectory((100.0, 40.0), rounding=rounding), kink_losses=kinks)
    residual, rounded = np.sqrt(expected.losses[place]), np.sqrt(2) * _off(once, each)
    allowed = TOL * expected.losses[place] + 2 * kink + (residual + rounded) ** 2 - residual**2
    losses = expected.losses.copy()
    losses[place] += sign * share * allowed
    errors = _judged(expected, right, losses=losses)
    if right:
        assert errors.loss == pytest.approx(share * TOL, rel=0.005)
        assert (errors.w1, errors.w2) == (0, 0)


@pytest.mark.parametrize(("share", "right"), JUST)
def test_a_loss_that_has_all_but_vanished_is_judged_by_a_thousandth_of_the_first(share, right):
    expected = _trajectory((1000.0, 0.25))
    _judged(expected, right, losses=expected.losses + np.array([0.0, share * TOL * 1.0]))


def test_of_several_steps_in_a_call_the_last_loss_is_told_and_calls_are_counted_from_the_end():
    expected = _trajectory((1.0, 2.0, 3.0, 4.0, 5.0, 6.0), every=2)
    for told in ([6.0], [4.0, 6.0], [2.0, 4.0, 6.0]):
        assert _judged(expected, True, losses=np.array(told)).loss == 0
    for told in ([5.0], [5.0, 6.0], [2.0, 4.0]):
        _judged(expected, False, losses=np.array(told))
    kinks = replace(expected, kink_losses=np.array([9.0, 0.0, 9.0, 1.0, 9.0, 0.0]))
    assert _judged(kinks, True, losses=np.array([5.0, 6.0])).loss == pytest.approx(TOL / 2)
    _judged(kinks, False, losses=np.array([4.0, 7.0]))


def test_where_nothing_should_move_any_update_is_wrong():
    expected = _trajectory(moved=((0.0, 0.0), (0.0, 0.0)))
    assert _judged(expected, True).as_tuple() == (0, 0, 0)
    with pytest.raises(Wrong, match="updates w2 wrongly: relative error 1, allowed"):
        compare(expected, expected.losses, (expected.w1, expected.w2 + 1e-30), "float64")


@pytest.mark.parametrize(("dtype", "held"), [("float64", "float64"), ("float32", "float32"), ("tf32", "float32")])
def test_weights_of_another_shape_or_dtype_are_named_with_what_was_expected(dtype, held):
    expected = _trajectory()
    w1, w2 = (w.astype(held) for w in (expected.w1, expected.w2))
    assert compare(expected, expected.losses, (w1, w2), dtype).as_tuple() == (0, 0, 0)
    with pytest.raises(Wrong, match=rf"hands out w2 as {held} \(1, 2\), expected {held} \(2, 2\)"):
        compare(expected, expected.losses, (w1, w2[:1]), dtype)
    with pytest.raises(Wrong, match=rf"hands out w1 as float16 \(2, 2\), expected {held} \(2, 2\)"):
        compare(expected, expected.losses, (w1.astype("float16"), w2), dtype)


def test_of_two_comparisons_the_larger_of_each_error_counts_and_kinks_add_up():
    assert Errors(1.0, 5.0, 3.0, 1).worst(Errors(4.0, 2.0, 6.0, 2)) == Errors(4.0, 5.0, 6.0, 3)
    assert np.isnan(Errors(np.nan, 1.0, 1.0).worst(Errors(1.0, 1.0, 1.0)).loss)
    assert Errors(1.0, 2.0, 3.0).as_tuple() == (1.0, 2.0, 3.0)
    assert Errors(1.0, 2.0, 3.0).kinks == 0


UPDATE = np.array([[3.0, 0.0], [0.0, 4.0]])
LOWER, FORWARD, BACKWARD = "in a lower precision than float64 gives", "look at the forward pass", "look at the backward pass"


@pytest.mark.parametrize(
    ("w1", "w2", "loss", "steps", "says", "hint"),
    [
        (0, 1, 1, 1, "never updates w1: relative error 1, allowed 1e-10; ", BACKWARD),
        (1, 0, 1, 1, "never updates w2: relative error 1, ", BACKWARD),
        (-1, 1, 1, 1, "updates w1 in the wrong direction: it climbs: relative error 2, ", BACKWARD),
        (-1, -1, 1, 1, "updates w1 and w2 in the wrong direction: it climbs: relative error 2, ", BACKWARD),
        (-0.6, 1, 1, 1, "updates w1 in the wrong direction: it climbs: relative error 1.6, ", BACKWARD),
        (-0.4, 1, 1, 1, "updates w1 wrongly: relative error 1.4, ", BACKWARD),
        (0.4, 1, 1, 1, "updates w1 wrongly: relative error 0.6, ", BACKWARD),
        (2, 2, 1, 1, "updates w1 and w2 wrongly: relative error 1, ", BACKWARD),
        (2, 1, 1, 3, "updates w1 wrongly in 3 steps: relative error 1, ", BACKWARD),
        (2, 1, 2, 1, "updates w1 wrongly: relative error 1, ", FORWARD),
        (2, 1, 2, 2, "updates w1 wrongly in 2 steps: relative error 1, ", BACKWARD),
        (1.04, 1, 1, 1, "updates w1 wrongly: relative error 0.04, ", LOWER),
        (1.06, 1, 1, 1, "updates w1 wrongly: relative error 0.06, ", BACKWARD),
        (1.04, 1, 2, 1, "updates w1 wrongly: relative error 0.04, ", LOWER),
        (1.04, 1, 1.04, 2, "updates w1 wrongly in 2 steps: relative error 0.04, ", LOWER),
        (1.04, 1, 1.06, 2, "updates w1 wrongly in 2 steps: relative error 0.04, ", BACKWARD),
        (1, 1, 1.5, 1, "computes a wrong loss: relative error 0.5, allowed 1e-10; its updates are right", ""),
        (1, 1, 1.5, 2, "computes a wrong loss in 2 steps: relative error 0.5, allowed 1e-10; its updates are right", ""),
    ],
)
def test_the_diagnosis_names_what_is_wrong_and_where_to_look(w1, w2, loss, steps, says, hint):
    """`w1` and `w2` are the shares of the right update that were done, `loss` of the right loss."""
    expected = _trajectory((100.0,) * steps)
    with pytest.raises(Wrong) as caught:
        compare(expected, expected.losses * loss, (w1 * UPDATE, w2 * UPDATE), "float64")
    assert str(caught.value).startswith(says.replace("1e-10", f"{TOL:g}"))
    assert hint in str(caught.value)


def test_the_error_that_is_told_leaves_out_what_rounding_may_add():
    """The update is as small beside its weights as float64 can hold, so by the judge's measure it is off by far less."""
    expected = _trajectory(start=((0.0, 1e9), (0.0, 0.0)))
    with pytest.raises(Wrong, match="updates w1 wrongly: relative error 0.5, "):
        compare(expected, expected.losses, (expected.w1 + 0.5 * UPDATE, expected.w2), "float64")


def _error(shape, dtype, seed):
    """The largest error of one step that is computed in a dtype."""
    problem = Problem.random(*shape, seed=seed, learning_rate=steady_learning_rate(*shape))
    step = NumpyManual(problem, "cpu", dtype)
    expected = reference.train(problem, 1)
    loss = float(step.step())
    begin = [w.astype(dtype) for w in expected.start]
    updates = [w.astype(np.float64) - start for w, start in zip(step.get_weights(), begin, strict=True)]
    right = [end - start for end, start in zip((expected.w1, expected.w2), expected.start, strict=True)]
    errors = [np.linalg.norm(a - b) / np.linalg.norm(b) for a, b in zip(updates, right, strict=True)]
    return max(*errors, abs(loss / expected.losses[0] - 1))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("dtype", "lower"), [("float32", "float16"), ("float64", "float32")])
def test_a_tolerance_lies_well_between_a_right_step_and_the_next_lower_precision(dtype, lower, seed):
    shape = (16, 100, 20, 5)  # of float16, in which a larger sum of squares is no number
    assert 3 * _error(shape, dtype, seed) < TOLERANCE[dtype] < _error(shape, lower, seed) / 3


@pytest.mark.parametrize(
    ("dtype", "digits", "number"),
    [("float32", 24, 168), ("float64", 53, 180), ("tf32", 10, 5), ("bfloat16", 8, 5)],
)
def test_an_update_is_allowed_170_roundings_and_in_a_reduced_precision_five(dtype, digits, number):
    """TF32 has eleven digits, of which hardware may cut the last instead of rounding it."""
    assert DTYPES[dtype].rounding == 2.0**-digits
    assert TOLERANCE[dtype] / DTYPES[dtype].rounding == pytest.approx(number, rel=0.03)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_rounded_product_takes_the_other_side_of_zero_within_the_kinks_margin_only(dtype):
    """What float32 and float64 make of random products stays below the margin, and comes within a hundredth of it."""
    random = np.random.default_rng(0)
    x, w = (random.standard_normal(shape).astype(dtype) for shape in ((200, 1000), (1000, 200)))
    exact = x.astype(np.longdouble) @ w.astype(np.longdouble)
    off = np.abs(x @ w - exact) / np.sqrt(x.astype(np.longdouble) ** 2 @ w.astype(np.longdouble) ** 2)
    assert proof.KINK_MARGIN[dtype] / 1000 < off.max() < proof.KINK_MARGIN[dtype] / 2


def _kinked():
    """One unit at 0: (problem, unsure trajectory, the end of a step that masks the other way)."""
    problem = Problem(np.array([[1.0, 2.0]]), np.array([[5.0]]), np.array([[2.0, 1.0], [-1.0, 1.0]]), np.ones((2, 1)), 0.01)
    unsure = reference.train(problem, 1, kink_margin=1e-3)
    other = reference.gradients(problem, problem.w1, problem.w2, unsure.undecided[0])
    return problem, unsure, (problem.w1 - 0.01 * other.grad_w1, problem.w2 - 0.01 * other.grad_w2)


def test_an_undecided_unit_may_take_either_side_and_the_other_one_is_counted():
    problem, unsure, other = _kinked()
    assert unsure.undecided.sum() == 1
    assert proof.judge(problem, unsure, unsure.losses, other, "float64").kinks == 1
    assert proof.judge(problem, unsure, unsure.losses, (unsure.w1, unsure.w2), "float64").kinks == 0
    twice = 2 * other[0] - problem.w1, other[1]
    with pytest.raises(Wrong, match="updates w1 wrongly"):
        proof.judge(problem, unsure, unsure.losses, twice, "float64")
    sure = reference.train(problem, 1)
    with pytest.raises(Wrong, match="updates w1 wrongly"):
        proof.judge(problem, sure, sure.losses, other, "float64")
