"""The independent float64 reference that every step is proven against; itself checked by central differences.

Nothing that is timed may come from here, and nothing here may be written for speed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from backends.api import Problem

Float64 = NDArray[np.float64]
Mask = NDArray[np.bool_]
FEW = 8


def loss(problem: Problem, w1: Float64, w2: Float64) -> float:
    """Sum of squared errors of the network with these weights; what central differences are taken of."""
    y_pred = np.maximum(problem.x @ w1, 0) @ w2  # (N, D_out)
    return float(np.sum((y_pred - problem.y) ** 2))


@dataclass(frozen=True)
class Gradients:
    """One forward and backward pass."""

    loss: float
    grad_w1: Float64  # (D_in, H)
    grad_w2: Float64  # (H, D_out)
    h: Float64  # (N, H)
    grad_h_relu: Float64  # (N, H)


def gradients(problem: Problem, w1: Float64, w2: Float64, flipped: Mask | None = None) -> Gradients:
    """The loss and its gradients with these weights.

    At exactly h = 0 it takes the ReLU's subgradient 1 (the mask is `h >= 0`), as `grad_h[h < 0] = 0` does. `flipped`
    (N, H) names hidden units that take the other one.
    """
    h = problem.x @ w1  # (N, H)
    h_relu = np.where(h >= 0, h, 0.0)  # (N, H)
    residual = h_relu @ w2 - problem.y  # (N, D_out)
    grad_w2 = 2.0 * h_relu.T @ residual  # (H, D_out)
    grad_h_relu = 2.0 * residual @ w2.T  # (N, H)
    opened = (h >= 0) if flipped is None else (h >= 0) ^ flipped  # (N, H)
    grad_w1 = problem.x.T @ (grad_h_relu * opened)  # (D_in, H)
    return Gradients(float(np.sum(residual**2)), grad_w1, grad_w2, h, grad_h_relu)


@dataclass(frozen=True)
class Rounding:
    """Variances of a step's errors in squared units of a rounding: of y_pred, of w1's and of w2's update, summed over each."""

    once: tuple[float, ...] = (0.0, 0.0, 0.0)
    """Where each product is off by one unit of the root sum of squares of its terms."""
    each: tuple[float, ...] = (0.0, 0.0, 0.0)
    """Where it is off by √k units, k terms in a sum."""


@dataclass(frozen=True)
class Trajectory:
    """What `steps` steps of plain SGD do to the weights."""

    start: tuple[Float64, Float64]
    losses: Float64
    """(steps,) the loss before each update."""
    w1: Float64
    w2: Float64
    undecided: Mask
    """(steps, N, H) hidden units too near 0 for a rounded product to tell their sign: either subgradient of the ReLU is
    right for them."""
    kink_losses: Float64
    """(steps,) how far the losses would be off had the undecided units taken the other side; likewise the weights, in norm."""
    kink_w1: float = 0.0
    kink_w2: float = 0.0
    every: int = 1
    """Steps between two losses that are told: a call that does several tells its last."""
    rounding: Rounding = field(default_factory=Rounding)
    kink_margin: float = 0.0
    flipped: Mask | None = None
    """(steps, N, H) hidden units that took the other subgradient."""

    @property
    def steps(self) -> int:
        return len(self.losses)


def train(
    problem: Problem,
    steps: int,
    start: tuple[Float64, Float64] | None = None,
    *,
    kink_margin: float = 0.0,
) -> Trajectory:
    """Trains from `start` (the problem's own weights by default).

    `kink_margin`: an h whose magnitude is below this share of its terms' root sum of squares counts as undecided, each weight
    taken as large as it was at the start or is now.
    """
    start = start or (problem.w1, problem.w2)
    start = (start[0].copy(), start[1].copy())
    losses, w1, w2, undecided = _descend(problem, start, np.zeros((steps, 0), bool), kink_margin)
    return Trajectory(
        start, losses, w1, w2, undecided, np.zeros(steps), rounding=rounding(problem, *start), kink_margin=kink_margin
    )


def rounding(problem: Problem, w1: Float64, w2: Float64) -> Rounding:
    """How far rounding comes in one step from these weights: variances that follow from those of the products' terms.

    They follow the terms and not what is left of them: errors do not shrink where the residual does.
    """
    h = problem.x @ w1  # (N, H)
    opened = h >= 0  # (N, H)
    h_relu = h * opened  # (N, H)
    residual = h_relu @ w2 - problem.y  # (N, D_out)
    N, D_in, H, D_out = problem.shape
    found = []
    for once, each in ((1, 0), (0, 1)):
        of_h = (once + each * D_in) * (problem.x**2 @ w1**2) * opened  # (N, H)
        of_residual = of_h @ w2**2 + (once + each * H) * (h_relu**2 @ w2**2) + once * problem.y**2  # (N, D_out)
        of_w2 = h_relu.T**2 @ of_residual + of_h.T @ residual**2 + (once + each * N) * (h_relu.T**2 @ residual**2)
        of_grad_h = (of_residual @ w2.T**2 + (once + each * D_out) * (residual**2 @ w2.T**2)) * opened  # (N, H)
        of_w1 = problem.x.T**2 @ of_grad_h + (once + each * N) * (problem.x.T**2 @ ((residual @ w2.T) ** 2 * opened))
        twice_rate = 2 * problem.learning_rate
        found.append((float(of_residual.sum()), *(float(twice_rate**2 * of.sum()) for of in (of_w1, of_w2))))
    return Rounding(*found)


def nearer(problem: Problem, trajectory: Trajectory, w1: Float64) -> Iterator[Trajectory]:
    """The trajectory with undecided units on the sides that bring its end ever nearer to `w1`: one after the other, the one
    that brings it furthest first, of those few whose own part of w1 is off their way most; of a single step, where they do not
    depend on each other, all of them at once.
    """
    if trajectory.steps == 1:
        flipped = _sides(problem, trajectory, w1 - trajectory.w1)
        if flipped.any():
            yield _with_sides(problem, trajectory, flipped)
        return
    now, off = trajectory, _distance(w1, trajectory.w1)
    while places := _likely(problem, now, w1):
        others = [_with_sides(problem, now, each | _taken(now)) for each in places]
        distances = [_distance(w1, other.w1) for other in others]
        best = int(np.argmin(distances))
        if not distances[best] < off:
            return
        now, off = others[best], distances[best]
        yield now


def _sides(problem: Problem, trajectory: Trajectory, off: Float64) -> Mask:
    """(1, N, H) the undecided units of a step that took the other side, by what `off` (D_in, H) is left of w1's update."""
    now = gradients(problem, *trajectory.start)
    flipped, left = np.zeros((1, *now.h.shape), bool), off.copy()
    places = [(int(row), int(unit)) for _, row, unit in np.argwhere(trajectory.undecided)]
    sign = np.where(now.h >= 0, problem.learning_rate, -problem.learning_rate)
    moves = {place: problem.x[place[0]] * (now.grad_h_relu * sign)[place] for place in places}  # (D_in,) each
    while moves:
        gains = {place: float((2 * left[:, place[1]] - move) @ move) for place, move in moves.items()}
        best = max(gains, key=lambda place: gains[place])
        if not gains[best] > 0:
            break
        left[:, best[1]] -= moves.pop(best)
        flipped[0, *best] = True
    return flipped


def _with_sides(problem: Problem, trajectory: Trajectory, flipped: Mask) -> Trajectory:
    losses, w1, w2, undecided = _descend(problem, trajectory.start, flipped, trajectory.kink_margin)
    return replace(trajectory, losses=losses, w1=w1, w2=w2, undecided=undecided, flipped=flipped)


def _taken(trajectory: Trajectory) -> Mask:
    return np.zeros_like(trajectory.undecided) if trajectory.flipped is None else trajectory.flipped


def _likely(problem: Problem, trajectory: Trajectory, w1: Float64) -> list[Mask]:
    """Of the undecided units on their first side the few along whose sample their own column of w1 is off most."""
    places = np.argwhere(trajectory.undecided & ~_taken(trajectory))
    rows, units = places[:, 1], places[:, 2]
    along = np.einsum("ij,ji->i", problem.x[rows], (w1 - trajectory.w1)[:, units])
    shares = along**2 / np.sum(problem.x[rows] ** 2, axis=1)
    return [_one(trajectory.undecided, place) for place in places[np.argsort(-shares)[:FEW]]]


def _distance(one: Float64, other: Float64) -> float:
    return float(np.sum((one - other) ** 2))


def with_kinks(problem: Problem, trajectory: Trajectory) -> Trajectory:
    """The same trajectory with its `kink` fields: what its undecided units could have changed."""
    kinks, kink_losses = [0.0, 0.0], np.zeros(trajectory.steps)
    for flips in _one_by_one(trajectory.undecided):
        losses, *weights, _ = _descend(problem, trajectory.start, flips, 0.0)
        kink_losses += np.abs(losses - trajectory.losses)
        for layer, (other, mine) in enumerate(zip(weights, (trajectory.w1, trajectory.w2), strict=True)):
            kinks[layer] += float(np.sqrt(np.sum((other - mine) ** 2)))
    return replace(trajectory, kink_losses=kink_losses, kink_w1=kinks[0], kink_w2=kinks[1])


def _one_by_one(undecided: Mask) -> Iterator[Mask]:
    """The undecided units to flip, a trajectory each: two that cancel must not hide each other. Beyond a few they are
    flipped all at once, for their effects then add up like the steps of a random walk."""
    places = np.argwhere(undecided)
    if len(places) > FEW:
        yield undecided
    else:
        yield from (_one(undecided, place) for place in places)


def _one(like: Mask, place: NDArray[np.intp]) -> Mask:
    flips = np.zeros_like(like)
    flips[tuple(place)] = True
    return flips


def _descend(
    problem: Problem, start: tuple[Float64, Float64], flips: Mask, kink_margin: float
) -> tuple[Float64, Float64, Float64, Mask]:
    """(losses, w1, w2, undecided units) of `len(flips)` steps; flips (steps, N, H), or (steps, 0) for none."""
    w1, w2 = start[0].copy(), start[1].copy()
    losses, undecided = [], []
    for flipped in flips:
        now = gradients(problem, w1, w2, flipped if flipped.size else None)
        losses.append(now.loss)
        largest = np.maximum(np.abs(w1), np.abs(start[0]))  # a weight that has come near 0 is no more exact than it was
        undecided.append(np.abs(now.h) < kink_margin * np.sqrt(problem.x**2 @ largest**2))
        w1 -= problem.learning_rate * now.grad_w1
        w2 -= problem.learning_rate * now.grad_w2
    return np.array(losses), w1, w2, np.array(undecided)
