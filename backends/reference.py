"""The independent float64 reference that every step is proven against; itself checked by central differences.

Nothing that is timed may come from here, and nothing here may be written for speed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends.api import Problem

Float64 = NDArray[np.float64]


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


def gradients(problem: Problem, w1: Float64, w2: Float64) -> Gradients:
    """The loss and its gradients with these weights.

    At exactly h = 0 it takes the ReLU's subgradient 1 (the mask is `h >= 0`), as `grad_h[h < 0] = 0` does.
    """
    h = problem.x @ w1  # (N, H)
    h_relu = np.where(h >= 0, h, 0.0)  # (N, H)
    residual = h_relu @ w2 - problem.y  # (N, D_out)
    grad_w2 = 2.0 * h_relu.T @ residual  # (H, D_out)
    grad_h_relu = 2.0 * residual @ w2.T  # (N, H)
    grad_w1 = problem.x.T @ (grad_h_relu * (h >= 0))  # (D_in, H)
    return Gradients(float(np.sum(residual**2)), grad_w1, grad_w2, h, grad_h_relu)


@dataclass(frozen=True)
class Trajectory:
    """What `steps` steps of plain SGD do to the weights."""

    losses: Float64
    """(steps,) the loss before each update."""
    w1: Float64
    w2: Float64
    start: tuple[Float64, Float64]
    kink: float
    """How far, in norm, the update of w1 may differ because some h was too near 0 for a rounded product to tell its
    sign: then either subgradient of the ReLU is right."""

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
    w1, w2 = first[0].copy(), first[1].copy()
    x_norms = np.sqrt(np.sum(problem.x**2, axis=1))  # (N,)
    losses, kink = [], 0.0
    for _ in range(steps):
        now = gradients(problem, w1, w2)
        losses.append(now.loss)
        undecided = np.abs(now.h) < kink_margin * np.sqrt(np.mean(now.h**2))  # (N, H)
        kink += problem.learning_rate * float(np.sum(np.abs(now.grad_h_relu) * undecided * x_norms[:, None]))
        w1 -= problem.learning_rate * now.grad_w1
        w2 -= problem.learning_rate * now.grad_w2
    return Trajectory(np.array(losses), w1, w2, (first[0].copy(), first[1].copy()), kink)
