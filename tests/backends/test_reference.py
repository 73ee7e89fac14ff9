"""If these fail, everything is proven against a wrong reference."""

import numpy as np
import pytest

from backends import reference
from backends.api import Problem


@pytest.mark.parametrize("shape", [(64, 1000, 100, 10), (7, 13, 5, 3), (1, 4, 3, 1)])
@pytest.mark.parametrize("seed", range(3))
def test_gradients_equal_central_differences_along_random_directions(shape, seed):
    problem = Problem.random(*shape, seed=seed)
    now = reference.gradients(problem, problem.w1, problem.w2)
    directions = np.random.default_rng(seed + 10)
    for _ in range(5):
        d1, d2 = directions.standard_normal(problem.w1.shape), directions.standard_normal(problem.w2.shape)
        step = 1e-6
        ahead = reference.loss(problem, problem.w1 + step * d1, problem.w2 + step * d2)
        behind = reference.loss(problem, problem.w1 - step * d1, problem.w2 - step * d2)
        slope = np.sum(now.grad_w1 * d1) + np.sum(now.grad_w2 * d2)
        scale = np.sqrt(np.sum(now.grad_w1**2) + np.sum(now.grad_w2**2)) * np.sqrt(np.sum(d1**2) + np.sum(d2**2))
        assert abs((ahead - behind) / (2 * step) - slope) < 1e-6 * scale


def test_loss_is_that_of_the_gradients():
    problem = Problem.random(seed=5)
    assert reference.gradients(problem, problem.w1, problem.w2).loss == reference.loss(problem, problem.w1, problem.w2)


def test_one_step_by_hand():
    """x = 2, w1 = 3, w2 = 5, y = 29: y_pred = 30, loss = 1, grad_w2 = 2·6, grad_w1 = 2·5·2."""
    one = [np.array([[value]]) for value in (2.0, 29.0, 3.0, 5.0)]
    result = reference.train(Problem(*one, learning_rate=0.1), 1)
    assert result.losses.tolist() == [1.0]
    assert result.w2.item() == pytest.approx(5 - 0.1 * 12)
    assert result.w1.item() == pytest.approx(3 - 0.1 * 20)
    assert (result.kink_w1, result.kink_w2, result.every) == (0, 0, 1), "nothing is allowed for, and every loss is told"


def test_a_unit_at_exactly_zero_takes_subgradient_one():
    one = [np.array([[value]]) for value in (2.0, 29.0, 0.0, 5.0)]
    now = reference.gradients(Problem(*one), np.zeros((1, 1)), np.full((1, 1), 5.0))
    assert now.grad_w1.item() == 2 * (0 - 29) * 5 * 2


def test_kinks_are_counted_where_units_are_undecided_only():
    problem = Problem.random(seed=0)
    sure = reference.with_kinks(problem, reference.train(problem, 3))
    assert not sure.undecided.any()
    assert (sure.kink_w1, sure.kink_w2, sure.kink_losses.tolist()) == (0, 0, [0, 0, 0])
    unsure = reference.with_kinks(problem, reference.train(problem, 3, kink_margin=1e-3))
    assert unsure.undecided.any()
    assert unsure.kink_w1 > 0
    assert unsure.kink_w2 > 0
    assert unsure.kink_losses[0] == 0 < unsure.kink_losses[-1]
    assert np.array_equal(sure.w1, unsure.w1)


@pytest.mark.parametrize("shape", [(7, 13, 5, 3), (33, 257, 65, 17)])
@pytest.mark.parametrize("each", [False, True])
def test_rounding_is_what_comes_of_products_that_are_off(shape, each):
    """Drawn, not derived: each product is off by a millionth of its terms' root sum of squares, y by a millionth of itself.

    `each`: a product of k terms is off by √k millionths, and y by none. An error of h is then most of it, and that it comes
    into an update by two ways at once is left out of the variances: it makes them up to a third too small.
    """
    problem, size = Problem.random(*shape, seed=1), 1e-6
    normal = np.random.default_rng(1).standard_normal

    def product(a, b):
        off = np.sqrt(a**2 @ b**2) * (np.sqrt(a.shape[1]) if each else 1)
        return a @ b + size * off * normal(off.shape)

    def step(product, y):
        h = problem.x @ problem.w1
        opened = h >= 0
        h_relu = product(problem.x, problem.w1) * opened
        residual = product(h_relu, problem.w2) - y
        grad_h = product(2 * residual, problem.w2.T) * opened
        rate = problem.learning_rate
        return residual, rate * product(problem.x.T, grad_h), rate * product(h_relu.T, 2 * residual)

    right = step(np.matmul, problem.y)
    y_off = 0 if each else size
    drawn = [step(product, problem.y * (1 + y_off * normal(problem.y.shape))) for _ in range(300)]
    measured = [np.mean([np.sum((one[part] - right[part]) ** 2) for one in drawn]) / size**2 for part in range(3)]
    found = reference.rounding(problem, problem.w1, problem.w2)
    assert (found.each if each else found.once) == pytest.approx(measured, rel=0.4 if each else 0.25)


def test_a_trajectory_has_the_rounding_of_its_start():
    problem = Problem.random(5, 4, 3, 2, seed=1)
    start = 2 * problem.w1, 3 * problem.w2
    assert reference.train(problem, 2, start).rounding == reference.rounding(problem, *start)
    assert reference.rounding(problem, *start) != reference.rounding(problem, problem.w1, problem.w2)


def test_rounding_errors_follow_the_terms_and_not_what_is_left_of_them():
    """x = 2, w1 = 3, w2 = 5: y_pred = 30, and where y is 29 or 30 its errors are those of 30 and y."""
    for y in (29.0, 30.0):
        one = [np.array([[value]]) for value in (2.0, y, 3.0, 5.0)]
        found = reference.rounding(Problem(*one, learning_rate=0.1), one[2], one[3])
        assert found.once[0] == pytest.approx(30**2 + 30**2 + y**2)
        assert found.each[0] == pytest.approx(30**2 + 30**2)


def test_rounding_by_hand():
    """h = 6, residuals -1 and 0, of two outputs that have the same weights."""
    x, y, w1, w2 = np.array([[2.0]]), np.array([[31.0, 30.0]]), np.array([[3.0]]), np.array([[5.0, 5.0]])
    found = reference.rounding(Problem(x, y, w1, w2, learning_rate=0.5), w1, w2)
    assert found.once == pytest.approx((2761 + 2700, 4 * (5461 * 25 + 25) + 4 * 25, 36 * 5461 + 36 + 36))
    assert found.each == pytest.approx((3600, 4 * (3600 * 25 + 2 * 25) + 4 * 25, 36 * 3600 + 36 + 36))


def test_a_weight_that_training_brings_near_zero_is_no_more_exact_than_it_was():
    """w1 goes from 0.1 to 1e-7 in one step: an error of 1e-6 of what it was decides the sign of h."""
    one = [np.array([[value]]) for value in (1.0, 0.0, 0.1, 1.0)]
    trained = reference.train(Problem(*one, learning_rate=(0.1 - 1e-7) / 0.2), 2, kink_margin=1e-5)
    assert trained.undecided.ravel().tolist() == [False, True]


def test_training_leaves_its_inputs_alone():
    problem = Problem.random(5, 4, 3, 2)
    start = problem.w1.copy(), problem.w2.copy()
    result = reference.train(problem, 2, start)
    assert np.array_equal(start[0], problem.w1)
    assert np.array_equal(result.start[0], problem.w1)


def test_what_undecided_units_could_change_adds_up_one_by_one():
    """Two units of one step that lie at 0 and are about to open, each flipped alone by hand."""
    x, y, w2 = np.array([[1.0, 2.0]]), np.array([[3.0]]), np.array([[-1.0], [-2.0], [4.0]])
    w1 = np.array([[2.0, -4.0, 1.0], [-1.0, 2.0, 1.0]])  # h = (0, 0, 3)
    problem = Problem(x, y, w1, w2, learning_rate=0.01)
    plain = reference.train(problem, 2, kink_margin=1e-3)
    assert plain.undecided[0].tolist() == [[True, True, False]]
    losses, off_1, off_2 = np.zeros(2), 0.0, 0.0
    flips = np.argwhere(plain.undecided)
    for step, _, unit in flips:
        mine = np.zeros((2, 1, 3), bool)
        mine[step, 0, unit] = True
        flipped_w1, flipped_w2, seen = w1.copy(), w2.copy(), []
        for flipped in mine:
            now = reference.gradients(problem, flipped_w1, flipped_w2, flipped)
            seen.append(now.loss)
            flipped_w1, flipped_w2 = flipped_w1 - 0.01 * now.grad_w1, flipped_w2 - 0.01 * now.grad_w2
        losses += np.abs(np.array(seen) - plain.losses)
        off_1 += np.linalg.norm(flipped_w1 - plain.w1)
        off_2 += np.linalg.norm(flipped_w2 - plain.w2)
    found = reference.with_kinks(problem, plain)
    assert len(flips) >= 2
    assert found.kink_losses.tolist() == pytest.approx(losses.tolist())
    assert (found.kink_w1, found.kink_w2) == (pytest.approx(off_1), pytest.approx(off_2))
    assert min(found.kink_losses[1], found.kink_w1, found.kink_w2) > 0


@pytest.mark.parametrize("number", [1, 2, reference.FEW, reference.FEW + 1])
def test_a_few_undecided_units_are_flipped_each_and_many_at_once(number):
    undecided = np.zeros((2, 3, 5), bool)
    undecided.flat[np.random.default_rng(0).permutation(undecided.size)[:number]] = True
    flips = list(reference._one_by_one(undecided))
    if number > reference.FEW:
        assert [flip.tolist() for flip in flips] == [undecided.tolist()]
    else:
        assert [int(flip.sum()) for flip in flips] == [1] * number
        assert np.array_equal(np.logical_or.reduce(flips), undecided)
    assert reference.FEW == 8


def test_a_unit_is_undecided_below_its_share_of_the_root_sum_of_squares_of_its_terms():
    """Terms (3, -4): h = -1, root sum of squares 5."""
    problem = Problem(np.array([[1.5, 2.0]]), np.zeros((1, 1)), np.array([[2.0], [-2.0]]), np.ones((1, 1)), learning_rate=0.1)
    assert reference.train(problem, 1, kink_margin=0.21).undecided.tolist() == [[[True]]]
    assert reference.train(problem, 1, kink_margin=0.2).undecided.tolist() == [[[False]]]
    assert not reference.train(problem, 1).undecided.any()


def test_several_steps_are_single_steps_one_after_the_other():
    problem = Problem.random(5, 4, 3, 2, learning_rate=1e-3)
    three = reference.train(problem, 3)
    start, losses = (problem.w1, problem.w2), []
    for _ in range(3):
        one = reference.train(problem, 1, start)
        losses += one.losses.tolist()
        start = (one.w1, one.w2)
    assert three.losses.tolist() == losses
    assert three.steps == 3
    assert three.undecided.shape == (3, 5, 3)
    assert np.array_equal(three.w1, start[0])
    assert np.array_equal(three.w2, start[1])
    assert np.array_equal(three.start[1], problem.w2)
