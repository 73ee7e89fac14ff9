"""The worker's part of a proof: it takes the steps and hands out losses and weights to be compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.api import Problem, TrainStep, weights_dtype
from bench.errors import Wrong
from bench.region import DTYPES

Arrays = Sequence[NDArray[Any]]


def problem_from(arrays: Arrays) -> Problem:
    """The problem whose arrays are x, y, w1, w2 and the learning rate."""
    x, y, w1, w2, learning_rate = arrays
    return Problem(x, y, w1, w2, float(learning_rate[0]))


def hand_out(step: TrainStep, losses: Sequence[Any], dtype: str) -> list[NDArray[Any]]:
    """Losses and weights as they go to the judge. Raises `Wrong` for what it could not read."""
    weights = step.get_weights()
    for name, array in zip(("w1", "w2"), weights, strict=True):
        if not isinstance(array, np.ndarray) or array.dtype.name not in DTYPES:
            is_array = isinstance(array, np.ndarray)
            found = f"{array.dtype} {array.shape}" if is_array else type(array).__name__
            wanted = weights_dtype(dtype)
            raise Wrong(f"hands out {name} as {found}, expected an array of {wanted}")
    return [np.array([float(loss) for loss in losses]), *weights]


def prove(
    build: type[TrainStep], device: str, dtype: str, arrays: Arrays, calls: int
) -> list[NDArray[Any]]:
    """A call on a fresh problem, then `calls` from other weights: losses and weights after each.

    Raises `Wrong` for what only this process sees: a changed input, arrays kept or shared.
    """
    problem = problem_from(arrays[:5])
    inputs = {name: getattr(problem, name).copy() for name in ("x", "y", "w1", "w2")}
    step = build(problem, device, dtype)
    loss = step.step()
    step.synchronize()
    once = [array.copy() for array in hand_out(step, [loss], dtype)]
    for name, array in inputs.items():
        if not np.array_equal(getattr(problem, name), array):
            raise Wrong(
                f"writes to its input: Problem.{name} has changed; copy it before changing it"
            )

    given = list(arrays[5:])
    step.set_weights(*given)
    for array in given:
        array.fill(np.nan)  # a step that kept the arrays instead of copying them ends in NaN
    losses = [float(step.step()) for _ in range(calls)]
    step.synchronize()
    ten = hand_out(step, losses, dtype)
    kept = [array.copy() for array in ten]

    for array in ten[1:]:
        array.fill(np.nan)
    pairs = zip(step.get_weights(), kept[1:], strict=True)
    if not all(np.array_equal(*pair, equal_nan=True) for pair in pairs):
        raise Wrong(
            "hands out its own weights instead of copies: writing to what get_weights() gave "
            "changes the step"
        )
    return [*once, *kept]


def take_turns(
    build: type[TrainStep], device: str, dtype: str, arrays: Arrays, calls: int
) -> list[NDArray[Any]]:
    """Two steps of one class, called in turns: losses and weights of both."""
    steps = [build(problem_from(arrays[start : start + 5]), device, dtype) for start in (0, 5)]
    losses: list[list[float]] = [[], []]
    for _ in range(calls):
        for step, own in zip(steps, losses, strict=True):
            own.append(float(step.step()))
    for step in steps:
        step.synchronize()
    pairs = zip(steps, losses, strict=True)
    return [array for step, own in pairs for array in hand_out(step, own, dtype)]
