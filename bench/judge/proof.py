"""Compares losses and updates of a step with the float64 reference.

It compares *updates*, never weights: a step without its ReLU mask gets w1's update wrong by 92 %, and the weights
themselves by less than 1 %. A tolerance must never be widened to let a step through.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends import reference
from backends.api import DTYPES, Problem, Weights, weights_dtype
from bench.errors import Wrong

TOLERANCE = {"float32": 1e-5, "float64": 2e-14, "tf32": 5e-3, "bfloat16": 2e-2}
"""Relative error allowed of an update, beside what rounding its weights and cancellation may add. In float32 and float64 it is
some 170 roundings of a number: where k terms of either sign are added one by one, their sum is off by 0.3·√k of them (Higham &
Mary, *A New Approach to Probabilistic Rounding Error Analysis*, 2019), so that it holds for every order of additions up to
k = 2¹⁶ with a factor of 2 to spare. Operands rounded to 16 bits make w1 wrong by 2e-4 and w2 by 5e-5 at the default shape.

The reduced precisions are five roundings of one number, at 2⁻⁸ and 2⁻¹⁰. There the ReLU's other side dominates: over 60 seeds a
correct autocast step gets w1's first update wrong by 3e-2, at most 7e-2 at the default shape, w2's by 3e-3; simulated TF32
reaches 3e-2 and 3e-3. The nearest sabotage that this tells apart at once is wrong by 0.5 (no factor 2). w2 updated first, wrong
by 0.1, is left to the small shape of the gate, where fewer units are undecided."""

DEVIATIONS = 4
"""How many standard deviations of its rounding errors a step may be off. A product counts as off by √2 of `ROUNDING`, for both
operands and the result, and by √(k/10) for k additions, each to the size of the sum so far."""

KINK_MARGIN = {"float32": 1e-5, "float64": 1e-13} | {
    dtype: DEVIATIONS * math.sqrt(2 / 3) * DTYPES[dtype].rounding for dtype in ("tf32", "bfloat16")
}
"""An h smaller than this share of its terms' root sum of squares may get either sign from a product rounded in this dtype. Two
rounded operands put it off by √(2/3) of `ROUNDING`, a standard deviation."""


@dataclass(frozen=True)
class Errors:
    """Relative errors of one comparison with the reference; a step is right if none exceeds the dtype's tolerance.

    An update's error is ‖Δ − Δ_ref‖ / (‖Δ_ref‖ + r). r·tolerance is what rounding may add that does not shrink with the update:
    to the weights themselves (`_grain`), so that a tiny update of a large weight is judged by what the dtype can hold, and to
    sums that cancel (`reference.rounding`); and twice what undecided hidden units may change, where they are too many to tell
    which side each took.
    """

    loss: float
    w1: float
    w2: float
    kinks: int = 0
    """Comparisons that were right only with undecided units allowed for."""

    def worst(self, other: Errors) -> Errors:
        loss, w1, w2 = (float(np.maximum(a, b)) for a, b in zip(self.as_tuple(), other.as_tuple(), strict=True))
        return Errors(loss, w1, w2, self.kinks + other.kinks)

    def as_tuple(self) -> tuple[float, float, float]:
        return (self.loss, self.w1, self.w2)


def compare(expected: reference.Trajectory, losses: Sequence[float], weights: Weights, dtype: str) -> Errors:
    """Judges the last `len(losses)` losses of a trajectory and the weights at its end. Raises `Wrong`."""
    return _compared(expected, losses, _updates(expected, weights, dtype), dtype)


def _compared(
    expected: reference.Trajectory, losses: Sequence[float], updates: Sequence[NDArray[np.float64]], dtype: str
) -> Errors:
    tolerance, epsilon = TOLERANCE[dtype], float(np.finfo(weights_dtype(dtype)).eps)
    y_pred_off, *updates_off = _off_by_rounding(expected.rounding, dtype, epsilon)
    found: dict[str, float] = {}
    moved: dict[str, tuple[NDArray[Any], NDArray[Any], float]] = {}
    ends = ((expected.w1, expected.kink_w1), (expected.w2, expected.kink_w2))
    for name, start, (right, kink), update, off in zip(("w1", "w2"), expected.start, ends, updates, updates_off, strict=True):
        wanted = right - start
        beside = 2 * kink + expected.steps * (_grain(start, expected.undecided.shape[1]) * epsilon / 2 + off)
        scale = _norm(wanted) + beside / tolerance
        found[name] = _norm(update - wanted) / scale if scale else float(update.any())
        moved[name] = (update, wanted, scale * tolerance)
    fetched = slice(expected.every - 1, None, expected.every)
    right_losses, kinks = (values[fetched][-len(losses) :] for values in (expected.losses, expected.kink_losses))
    y_pred_off *= np.sqrt(expected.steps)
    roundings = 2 * np.sqrt(right_losses) * y_pred_off + y_pred_off**2  # (residual + y_pred_off)² - residual²
    scales = np.maximum(right_losses, 1e-3 * expected.losses[0]) + (2 * kinks + roundings) / tolerance
    found["loss"] = float(np.max(np.abs(np.asarray(losses, np.float64) - right_losses) / scales))
    errors = Errors(found["loss"], found["w1"], found["w2"])
    bad = [name for name in ("w1", "w2") if not found[name] <= tolerance]  # a NaN is not <=
    loss_right = found["loss"] <= tolerance
    if bad or not loss_right:
        raise Wrong(_diagnosis(errors, bad, loss_right, moved, tolerance, dtype, expected.steps))
    return errors


def _updates(expected: reference.Trajectory, weights: Weights, dtype: str) -> list[NDArray[np.float64]]:
    held = weights_dtype(dtype)
    for name, start, got in zip(("w1", "w2"), expected.start, weights, strict=True):
        if got.shape != start.shape or got.dtype != np.dtype(held):
            raise Wrong(f"hands out {name} as {got.dtype} {got.shape}, expected {held} {start.shape}")
    return [got.astype(np.float64) - start.astype(held) for start, got in zip(expected.start, weights, strict=True)]


def _off_by_rounding(rounding: reference.Rounding, dtype: str, epsilon: float) -> list[float]:
    """Of y_pred, and of the updates of w1 and w2, in norm."""
    pairs = zip(rounding.once, rounding.each, strict=True)
    squared = DTYPES[dtype].rounding ** 2
    return [DEVIATIONS * math.sqrt(2 * squared * once + (epsilon / 2) ** 2 / 10 * each) for once, each in pairs]


def _grain(weights: NDArray[np.float64], N: int) -> float:
    """What rounding each weight in an update by half a unit in its last place may add up to, in those units.

    A product may add its N terms to the weights one by one, as `addmm_` does, and round each time: √N/2 in norm where there are
    many weights, for errors are 0.43 of the largest on average, and up to five times that where there is one.
    """
    return _norm(weights) * max(1.0, math.sqrt(N) / 2 * (1 + 4 / math.sqrt(weights.size)))


def judge(
    problem: Problem,
    expected: reference.Trajectory,
    losses: Sequence[float],
    weights: Weights,
    dtype: str,
    sides: list[reference.Trajectory] | None = None,
) -> Errors:
    """`compare`, and if that fails again with undecided hidden units on the sides that the step took.

    Where these are too many to tell, and in reduced precisions, it allows for what they could have changed. `sides`: as other
    steps took them, which are tried before it is found out; what is found is added. Raises `Wrong`.
    """
    sides = [] if sides is None else sides
    updates = _updates(expected, weights, dtype)
    try:
        return _compared(expected, losses, updates, dtype)
    except Wrong as wrong:
        if not expected.undecided.any() or not np.isfinite(updates[0]).all():
            raise
        failure = wrong
    reduced = dtype != weights_dtype(dtype)
    for other in sides:
        with suppress(Wrong):
            return replace(_compared(replace(other, every=expected.every), losses, updates, dtype), kinks=1)
    for other in () if reduced else reference.nearer(problem, expected, expected.start[0] + updates[0]):
        try:
            errors = replace(_compared(other, losses, updates, dtype), kinks=1)
        except Wrong as wrong:
            failure = wrong
        else:
            sides.append(other)
            return errors
    if not reduced and (expected.steps == 1 or expected.undecided.sum() <= reference.FEW):
        raise failure
    return replace(_compared(reference.with_kinks(problem, expected), losses, updates, dtype), kinks=1)


def _diagnosis(
    errors: Errors, bad: list[str], loss_right: bool, moved: dict[str, Any], tolerance: float, dtype: str, steps: int
) -> str:
    after = "" if steps == 1 else f" in {steps} steps"
    if not bad:
        return f"computes a wrong loss{after}: relative error {errors.loss:.2g}, allowed {tolerance:g}; its updates are right"
    name = bad[0]
    update, wanted, allowed = moved[name]
    error = getattr(errors, name)
    if _norm(wanted):  # say both plainly, as shares of the update alone
        error, tolerance = _norm(update - wanted) / _norm(wanted), allowed / _norm(wanted)
    if not update.any():
        what = f"never updates {name}"
    elif error > 0.5 and _norm(update + wanted) < 0.5 * _norm(wanted):
        what = f"updates {' and '.join(bad)} in the wrong direction: it climbs"
    else:
        what = f"updates {' and '.join(bad)} wrongly"
    text = f"{what}{after}: relative error {error:.2g}, allowed {tolerance:.2g}; "
    if error < 0.05 and (steps == 1 or errors.loss < 0.05):
        return text + f"an error this small is what arithmetic in a lower precision than {dtype} gives"
    if not loss_right and steps == 1:
        return text + f"its loss is wrong too (relative error {errors.loss:.2g}), so look at the forward pass first"
    return text + "its first loss is right, so look at the backward pass, the update and set_weights()"


def _norm(array: NDArray[Any]) -> float:
    return math.sqrt(np.vdot(array, array))
