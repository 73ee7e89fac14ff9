"""Refuses a problem that cannot tell right from wrong, before anything is timed; `verify` checks its gradient too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from backends.api import Problem
from bench.errors import UsageError
from bench.judge.comparing import Question
from bench.judge.diagnosis import FILE, mistakes
from bench.problem import NAME, Definition, Float64

SAMPLES = 3
"""Noisy runs by which it is seen whether updates are larger than what rounding allows."""
DIRECTIONS = 3
DISTANCE = 1e-5
"""Of central differences, relative to the array's norm: their error is of its square."""
ALLOWED = 1e-4
"""Error of a central difference, relative to the gradient's norm."""


class _Fault(Exception):
    """What is wrong with a problem, and what to do about it."""


def check(definition: Definition, shape: str, dtype: str) -> None:
    """Draws a problem twice and takes a step from it twice. Raises `UsageError`."""
    try:
        with np.errstate(all="ignore"):
            return _check(definition, shape, dtype)
    except UsageError:
        raise
    except _Fault as fault:
        what, advice = fault.args
    except Exception as error:  # of the problem's own step
        what, advice = f"step raises {type(error).__name__}: {error}".rstrip("."), "fix it"
    raise UsageError(f"{definition.folder / NAME}: {what} (shape {shape}); {advice}.")


def _check(definition: Definition, shape: str, dtype: str) -> None:
    problem, again = (definition.draw(shape, dtype, 0) for _ in range(2))
    inputs, second = ({**drawn.data, **drawn.state} for drawn in (problem, again))
    for name, array in inputs.items():
        if not np.array_equal(array, second[name], equal_nan=True):
            raise _Fault(f"drawing {name} twice from one seed gives two arrays", "draw random numbers from the given rng only")
        if not np.isfinite(array).all():
            raise _Fault(f"{name} is drawn with NaN or infinity", "fix it")
    first, second = (_step(definition, problem) for _ in range(2))
    for name, value in first.items():
        if not np.array_equal(value, second[name]):
            advice = "a step is a function of its arguments: no random numbers, nothing remembered"
            raise _Fault(f"two steps from the same start differ in {name}", advice)
    allowed = Question(definition, problem, dtype, tuple(problem.state.values()), 1).relative_allowed(SAMPLES)
    if all(allowed[name] >= 1 for name in problem.state):
        advice = "choose a larger learning rate or smaller weights"
        raise _Fault(f"every update is smaller than what rounding in {dtype} allows", advice)


def check_mistakes(definition: Definition) -> None:
    """Takes a step with each mistake of `mistakes.py`. Raises `UsageError`."""
    problem = definition.draw(definition.small[0], "float64", 0)
    for hint, step in mistakes(definition.folder):
        what = "returns another state"
        try:
            with np.errstate(all="ignore"):
                run = definition.run(problem, tuple(problem.state.values()), 1, step)
            if [array.shape for array in run.state] == [array.shape for array in problem.state.values()]:
                continue
        except Exception as error:
            what = f"raises {type(error).__name__}: {error}"
        raise UsageError(
            f"{definition.folder / FILE}: {step.__name__} ({hint}) {what}; write it like "
            "`step`, and begin the names of helpers with an underscore."
        )


def central_differences(definition: Definition) -> tuple[bool, str]:
    """Whether the reference passed or was not checked, and a sentence.

    The update over the learning rate is the gradient of the loss, if the step is nothing but
    gradient descent: `learning_rate` is its only constant and its loss depends on every array.
    """
    shape = definition.small[0]
    problem = definition.draw(shape, "float64", 0)
    if list(problem.constants) != ["learning_rate"]:
        return True, "not checked by central differences, since learning_rate is not its only constant; that is fine"
    if not problem.learning_rate:
        return True, "not checked by central differences: learning_rate is 0"
    rng, start = np.random.default_rng(0), problem.state

    def loss(state: Mapping[str, Float64]) -> float:
        return float(definition.run(problem, tuple(state.values()), 1).losses[0])

    ends = definition.run(problem, tuple(start.values()), 1).state
    worst = 0.0
    for (name, before), after in zip(start.items(), ends, strict=True):
        gradient = (before - after) / problem.learning_rate
        size = float(np.linalg.norm(gradient))
        for _ in range(DIRECTIONS):
            way = rng.standard_normal(before.shape)
            far = DISTANCE * max(float(np.linalg.norm(before)), 1e-3) / float(np.linalg.norm(way))
            ahead, behind = (loss({**start, name: before + s * far * way}) for s in (1, -1))
            slope, expected = (ahead - behind) / (2 * far), float(np.sum(gradient * way))
            if size and ahead == behind:
                return True, f"not checked by central differences: its loss ignores {name}"
            error = abs(slope - expected) / size if size else abs(slope)
            if not error <= ALLOWED:
                return False, (
                    f"moves {name} along {expected:.6g}, where central differences of its loss give {slope:.6g} "
                    f"(a random direction, shape {shape}); fix the gradient, or the loss"
                )
            worst = max(worst, error)
    return True, f"agrees with central differences of its loss to {worst:.0e}"


def _step(definition: Definition, problem: Problem) -> dict[str, Any]:
    """The loss and the new state, if they are what a reference has to return."""
    data, state = ({n: a.copy() for n, a in g.items()} for g in (problem.data, problem.state))
    result = definition.module.step(data, state, **problem.constants)
    for name, array in (data | state).items():
        if not np.array_equal(array, {**problem.data, **problem.state}[name]):
            raise _Fault(f"step changes {name}", "return new arrays")
    if not (isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], Mapping)):
        raise _Fault("step returns something else than a loss and a state", 'end it with `return loss, {"w": ...}`')
    loss, new = result
    for name in problem.state.keys() ^ new.keys():
        what = "no" if name in problem.state else "an unknown array"
        raise _Fault(f"step returns {what} {name}", f"return all arrays of draw_state, no others: {', '.join(problem.state)}")
    for name, value in {"loss": loss, **new}.items():
        found, expected = np.asarray(value), np.shape(problem.state.get(name, 0.0))
        what = f"step returns {name}"
        if found.dtype != np.float64 or found.shape != expected:
            raise _Fault(f"{what} as {found.dtype} {found.shape}, given float64", f"keep the dtype, and the shape {expected}")
        if not np.isfinite(found).all():
            raise _Fault(f"{what} with NaN or infinity", "choose other data or a smaller learning rate")
    return {"loss": loss, **new}
