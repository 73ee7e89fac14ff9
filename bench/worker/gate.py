"""The worker's part in the gate: it does what a proof asks for, and hands out what came of it for the judge to compare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.api import Problem, TrainStep, weights_dtype
from bench.errors import Wrong

Arrays = Sequence[NDArray[Any]]


def problem_from(arrays: Arrays, rank: int = 0, ranks: int = 1) -> Problem:
    """The problem that the arrays are, or a rank's part of it: as many rows as its neighbour has, or one more or less."""
    x, y, w1, w2, learning_rate = arrays
    if ranks > 1:
        rows = slice(rank * len(x) // ranks, (rank + 1) * len(x) // ranks)
        x, y = x[rows], y[rows]
    return Problem(x, y, w1, w2, float(learning_rate[0]))


def handed_out(step: TrainStep, losses: Sequence[Any], dtype: str) -> list[NDArray[Any]]:
    """Losses and weights as they go to the judge. Raises `Wrong` for what no judge could read."""
    weights = step.get_weights()
    for name, array in zip(("w1", "w2"), weights, strict=True):
        if not isinstance(array, np.ndarray) or array.dtype.name not in ("float32", "float64"):
            told = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
            raise Wrong(f"hands out {name} as {told}, expected an array of {weights_dtype(dtype)}")
    return [np.array([float(loss) for loss in losses]), *weights]


def prove(
    build: type[TrainStep], device: str, dtype: str, arrays: Arrays, calls: int, rank: int = 0, ranks: int = 1
) -> list[NDArray[Any]]:
    """A call on a fresh problem, then `calls` from other weights: losses and weights after each.

    Raises `Wrong` for what only this process can see: an input that changes, arrays that are kept or shared.
    """
    problem = problem_from(arrays[:5], rank, ranks)
    inputs = {name: getattr(problem, name).copy() for name in ("x", "y", "w1", "w2")}
    step = build(problem, device, dtype)
    loss = step.step()
    step.synchronize()
    once = [array.copy() for array in handed_out(step, [loss], dtype)]
    for name, array in inputs.items():
        if not np.array_equal(getattr(problem, name), array):
            raise Wrong(f"writes to its input: Problem.{name} has changed; copy it before changing it")

    given = list(arrays[5:])
    step.set_weights(*given)
    for array in given:
        array.fill(np.nan)  # a step that kept the arrays instead of copying them ends in NaN
    losses = [float(step.step()) for _ in range(calls)]
    step.synchronize()
    ten = handed_out(step, losses, dtype)
    kept = [array.copy() for array in ten]

    for array in ten[1:]:
        array.fill(np.nan)
    if not all(np.array_equal(*pair, equal_nan=True) for pair in zip(step.get_weights(), kept[1:], strict=True)):
        raise Wrong("hands out its own weights instead of copies: writing to what get_weights() gave changes the step")
    return [*once, *kept]


def take_turns(
    build: type[TrainStep], device: str, dtype: str, arrays: Arrays, calls: int, rank: int = 0, ranks: int = 1
) -> list[NDArray[Any]]:
    """Two steps of one class must not know of each other: losses and weights of both."""
    steps = [build(problem_from(arrays[start : start + 5], rank, ranks), device, dtype) for start in (0, 5)]
    losses: list[list[float]] = [[], []]
    for _ in range(calls):
        for step, seen in zip(steps, losses, strict=True):
            seen.append(float(step.step()))
    for step in steps:
        step.synchronize()
    return [array for step, seen in zip(steps, losses, strict=True) for array in handed_out(step, seen, dtype)]
