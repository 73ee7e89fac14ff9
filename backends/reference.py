"""The independent float64 reference that every step is proven against; itself checked by central differences.

Nothing that is timed may come from here, and nothing here may be written for speed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

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
    return Gradients(float(np.sum(residual**2)), grad_w1, grad_w2, h)


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

    `kink_margin`: an h whose magnitude is below this share of h's root mean square counts as undecided.
    """
    first = start or (problem.w1, problem.w2)
    no_flips = np.zeros((steps, 0), bool)
    losses, w1, w2, undecided = _descend(problem, first, no_flips, kink_margin)
    return Trajectory((first[0].copy(), first[1].copy()), losses, w1, w2, undecided, np.zeros(steps))


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
    for place in places if len(places) <= FEW else [tuple(places.T)]:
        flips = np.zeros_like(undecided)
        flips[tuple(place)] = True
        yield flips


def _descend(
    problem: Problem, start: tuple[Float64, Float64], flips: Mask, kink_margin: float
) -> tuple[Float64, Float64, Float64, Mask]:
    """(losses, w1, w2, undecided units) of `len(flips)` steps; flips (steps, N, H), or (steps, 0) for none."""
    w1, w2 = start[0].copy(), start[1].copy()
    losses, undecided = [], []
    for flipped in flips:
        now = gradients(problem, w1, w2, flipped if flipped.size else None)
        losses.append(now.loss)
        undecided.append(np.abs(now.h) < kink_margin * np.sqrt(np.mean(now.h**2)))
        w1 -= problem.learning_rate * now.grad_w1
        w2 -= problem.learning_rate * now.grad_w2
    return np.array(losses), w1, w2, np.array(undecided)
