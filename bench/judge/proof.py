"""Compares losses and updates of a step with the float64 reference.

It compares *updates*, never weights: a step without its ReLU mask gets w1's update wrong by 92 %, and the weights
themselves by less than 1 %. A tolerance must never be widened to let a step through.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends import reference
from backends.api import Problem, Weights, weights_dtype
from bench.errors import Wrong

TOLERANCE = {"float32": 1e-4, "float64": 1e-10, "tf32": 5e-3, "bfloat16": 2e-2}
"""Relative error allowed of an update. A correct step stays 10 to 30 times below (float32: 3e-6 measured on w1 at the
default shape) unless a hidden unit took the ReLU's other side; the next lower precision is 10 times above (float32 where
float64 is promised 3e-6).

The reduced precisions are five roundings of one number, at 2⁻⁸ and 2⁻¹⁰. There the ReLU's other side dominates: over 60 seeds a
correct autocast step gets w1's first update wrong by 3e-2, at most 7e-2 at the default shape, w2's by 3e-3; simulated TF32
reaches 3e-2 and 3e-3. The nearest sabotage that this tells apart at once is wrong by 0.5 (no factor 2). w2 updated first, wrong
by 0.1, is left to the small shape of the gate, where fewer units are undecided."""

KINK_MARGIN = {"float32": 1e-5, "float64": 1e-13, "tf32": 2.5e-3, "bfloat16": 1e-2}
"""An h smaller than this share of its terms' root sum of squares may get either sign from a product rounded in this dtype."""

ROUNDING = {"float32": 2**-22, "float64": 2**-51, "tf32": 2**-8, "bfloat16": 2**-6}
"""What y_pred may be off relative to its size: four times what rounding one number does."""


@dataclass(frozen=True)
class Errors:
    """Relative errors of one comparison with the reference; a step is right if none exceeds the dtype's tolerance, or, where
    hidden units were undecided, the tolerance plus twice what they may change; and plus what rounding y_pred may (`ROUNDING`).

    An update's error is ‖Δ − Δ_ref‖ / (‖Δ_ref‖ + r). r·tolerance is what rounding each updated weight once a step by half a
    unit in the last place may add, so that a tiny update of a large weight is judged by what the dtype can hold.
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
    held = weights_dtype(dtype)
    tolerance, epsilon = TOLERANCE[dtype], float(np.finfo(held).eps)
    found: dict[str, float] = {}
    allowed: dict[str, float] = {}
    moved: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {}
    ends = ((expected.w1, expected.kink_w1), (expected.w2, expected.kink_w2))
    whole_loss, *whole_updates = expected.uncancelled
    for name, start, (right, kink), got, whole in zip(("w1", "w2"), expected.start, ends, weights, whole_updates, strict=True):
        if got.shape != right.shape or got.dtype != np.dtype(held):
            raise Wrong(f"hands out {name} as {got.dtype} {got.shape}, expected {held} {right.shape}")
        update, wanted = got.astype(np.float64) - start.astype(held), right - start
        rounding = expected.steps * epsilon / 2 * _norm(start)
        scale = _norm(wanted) + rounding / tolerance
        found[name] = _norm(update - wanted) / scale if scale else float(update.any())
        arithmetic = expected.steps * ROUNDING[dtype] * whole
        allowed[name] = tolerance + ((2 * kink + arithmetic) / scale if scale else 0.0)
        moved[name] = (update, wanted)
    fetched = slice(expected.every - 1, None, expected.every)
    right_losses, kinks = (values[fetched][-len(losses) :] for values in (expected.losses, expected.kink_losses))
    scales = np.maximum(right_losses, 1e-3 * expected.losses[0])
    off = np.abs(np.asarray(losses, np.float64) - right_losses) / scales
    y_pred_off = ROUNDING[dtype] * np.sqrt(whole_loss)
    roundings = 2 * np.sqrt(right_losses) * y_pred_off + y_pred_off**2  # (residual + y_pred_off)² - residual²
    found["loss"] = float(np.max(off))
    errors = Errors(found["loss"], found["w1"], found["w2"])
    bad = [name for name in ("w1", "w2") if not found[name] <= allowed[name]]  # a NaN is not <=
    loss_right = bool(np.all(off <= tolerance + (2 * kinks + roundings) / scales))
    if bad or not loss_right:
        raise Wrong(_diagnosis(errors, bad, loss_right, moved, tolerance, dtype, expected.steps))
    return errors


def judge(
    problem: Problem,
    expected: reference.Trajectory,
    losses: Sequence[float],
    weights: Weights,
    dtype: str,
    view: Callable[[reference.Trajectory], reference.Trajectory] = lambda trajectory: trajectory,
) -> Errors:
    """`compare`, and if that fails once more with what undecided hidden units may have changed, if there are any.

    `view` is applied to the trajectory before it is compared. Raises `Wrong`.
    """
    try:
        return compare(view(expected), losses, weights, dtype)
    except Wrong:
        if not expected.undecided.any():
            raise
        errors = compare(view(reference.with_kinks(problem, expected)), losses, weights, dtype)
        return replace(errors, kinks=1)


def _diagnosis(
    errors: Errors, bad: list[str], loss_right: bool, moved: dict[str, Any], tolerance: float, dtype: str, steps: int
) -> str:
    after = "" if steps == 1 else f" in {steps} steps"
    if not bad:
        return f"computes a wrong loss{after}: relative error {errors.loss:.2g}, allowed {tolerance:g}; its updates are right"
    name = bad[0]
    update, wanted = moved[name]
    error = getattr(errors, name)
    if _norm(wanted):  # say it plainly, without what rounding may add
        error = _norm(update - wanted) / _norm(wanted)
    if not update.any():
        what = f"never updates {name}"
    elif error > 0.5 and _norm(update + wanted) < 0.5 * _norm(wanted):
        what = f"updates {' and '.join(bad)} in the wrong direction: it climbs"
    else:
        what = f"updates {' and '.join(bad)} wrongly"
    text = f"{what}{after}: relative error {error:.2g}, allowed {tolerance:g}; "
    if error < 0.05 and (steps == 1 or errors.loss < 0.05):
        return text + f"an error this small is what arithmetic in a lower precision than {dtype} gives"
    if not loss_right and steps == 1:
        return text + f"its loss is wrong too (relative error {errors.loss:.2g}), so look at the forward pass first"
    return text + "its first loss is right, so look at the backward pass, the update and set_weights()"


def _norm(array: NDArray[Any]) -> float:
    return float(np.sqrt(np.sum(np.square(array))))
