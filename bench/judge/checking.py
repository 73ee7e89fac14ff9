"""Refuses a problem that cannot tell right from wrong, before anything is timed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from backends.api import Problem
from bench.errors import UsageError
from bench.judge.comparing import Reference
from bench.judge.diagnosis import FILE, mistakes
from bench.judge.noise import Noise, sample
from bench.problem import NAME, Definition

SAMPLES = 3
"""Noisy runs by which it is seen whether updates are larger than what rounding allows."""


def check(definition: Definition, shape: str, dtype: str) -> None:
    """Draws a problem twice and takes a step from it twice. Raises `UsageError`."""
    problem, again = (definition.draw(shape, dtype, 0) for _ in range(2))
    for name, array in _inputs(problem).items():
        if not np.array_equal(array, _inputs(again)[name], equal_nan=True):
            raise _refused(
                definition,
                shape,
                f"drawing {name} twice from one seed gives two arrays",
                "draw random numbers from the given rng only",
            )
        if not np.isfinite(array).all():
            raise _refused(definition, shape, f"{name} is drawn with NaN or infinity", "fix it")
    first, second = (_step(definition, shape, problem) for _ in range(2))
    for name, value in first.items():
        if not np.array_equal(value, second[name]):
            raise _refused(
                definition,
                shape,
                f"two steps from the same start differ in {name}",
                "a step is a function of its arguments: no random numbers, nothing remembered",
            )
    _check_size(definition, shape, dtype, problem)


def check_mistakes(definition: Definition) -> None:
    """Takes a step with each mistake of `mistakes.py`. Raises `UsageError`."""
    problem = definition.draw(definition.small[0], "float64", 0)
    for hint, step in mistakes(definition.folder):
        try:
            with np.errstate(all="ignore"):
                run = definition.run(problem, tuple(problem.state.values()), 1, step)
        except Exception as error:
            what = f"raises {type(error).__name__}: {error}"
        else:
            shapes = [array.shape for array in problem.state.values()]
            what = "returns another state" if [a.shape for a in run.state] != shapes else ""
        if what:
            raise UsageError(
                f"{definition.folder / FILE}: {step.__name__} ({hint}) {what}; write it like "
                "`step`, and begin the names of helpers with an underscore."
            )


def _step(definition: Definition, shape: str, problem: Problem) -> dict[str, Any]:
    """The loss and the new state, if they are what a reference has to return."""
    data, state = ({n: a.copy() for n, a in g.items()} for g in (problem.data, problem.state))

    def step() -> Any:
        with np.errstate(all="ignore"):
            return definition.module.step(data, state, **problem.constants)

    result = _called(definition, shape, step)
    for name, array in (data | state).items():
        if not np.array_equal(array, _inputs(problem)[name]):
            raise _refused(definition, shape, f"step changes {name}", "return new arrays")
    if not (isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], Mapping)):
        raise _refused(
            definition,
            shape,
            "step returns something else than a loss and a state",
            'end it with `return loss, {"w": ...}`',
        )
    loss, new = result
    wrong = [name for name in problem.state if name not in new]
    if wrong := wrong or [name for name in new if name not in problem.state]:
        what = "returns no" if wrong[0] in problem.state else "returns an unknown array"
        raise _refused(
            definition,
            shape,
            f"step {what} {wrong[0]}",
            f"return all arrays of draw_state and no others: {', '.join(problem.state)}",
        )
    for name, value in {"loss": loss, **new}.items():
        expected = () if name == "loss" else problem.state[name].shape
        found = np.asarray(value)
        if found.dtype != np.float64:
            raise _refused(
                definition,
                shape,
                f"step returns {name} as {found.dtype}, given float64",
                "compute in the dtype of the arguments",
            )
        if found.shape != expected:
            raise _refused(
                definition,
                shape,
                f"step returns {name} of shape {found.shape}",
                f"it has shape {expected}",
            )
        if not np.isfinite(found).all():
            raise _refused(
                definition,
                shape,
                f"step returns {name} with NaN or infinity",
                "choose other data or a smaller learning rate",
            )
    return {"loss": loss, **new}


def _check_size(definition: Definition, shape: str, dtype: str, problem: Problem) -> None:
    """At least one update has to be larger than what rounding allows it to be off."""
    start = tuple(problem.state.values())

    def draw(number: int) -> Any:
        return sample(definition, problem, start, 1, Noise.of(dtype, number))

    reference = Reference(list(problem.state), start, definition.run(problem, start, 1), draw)
    allowed = _called(definition, shape, lambda: reference.relative_allowed(samples=SAMPLES))
    if all(allowed[name] >= 1 for name in problem.state):
        raise _refused(
            definition,
            shape,
            f"every update is smaller than what rounding in {dtype} allows",
            "choose a larger learning rate or smaller weights",
        )


def _called(definition: Definition, shape: str, function: Callable[[], Any]) -> Any:
    """What the problem's own step returns. Raises `UsageError`."""
    try:
        return function()
    except UsageError:
        raise
    except Exception as error:
        raise _refused(
            definition,
            shape,
            f"step raises {type(error).__name__}: {error}".rstrip("."),
            "fix it",
        ) from None


def _refused(definition: Definition, shape: str, what: str, advice: str) -> UsageError:
    return UsageError(f"{definition.folder / NAME}: {what} (shape {shape}); {advice}.")


def _inputs(problem: Problem) -> dict[str, Any]:
    return {**problem.data, **problem.state}
