"""What a wrong step does wrong, in one sentence: which array, how far off, and what explains it.

A problem folder may list mistakes that people make in `mistakes.py`: variants of `step`, each with a
hint as its docstring. If a wrong step ends where one of them does, the sentence says so.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from backends.api import Problem
from bench import modules
from bench.judge.comparing import Distances, Reference
from bench.judge.noise import Noise, sample
from bench.problem import Definition, Float64, Run

FILE = "mistakes.py"
MISTAKEN = 0.1
"""Relative errors above this are not rounding."""
LOW_PRECISION = 0.05
"""Relative errors below this are what arithmetic in a lower precision gives."""
Mistake = tuple[str, Callable[..., Any]]
Earlier = tuple[Sequence[Float64], int]
"""A start, and the number of steps from it."""


def diagnose(
    definition: Definition,
    problem: Problem,
    reference: Reference,
    losses: Float64,
    state: Sequence[Float64],
    dtype: str,
    earlier: Earlier | None = None,
) -> str:
    """The sentence, without the name of the step; `earlier` is where it took steps before."""
    steps = len(reference.exact.losses)
    errors, allowed = reference.errors(losses, state), reference.relative_allowed()
    wrong = [name for name in errors if not errors[name] <= allowed[name]]
    arrays = [name for name in wrong if name != "loss"]
    after = "" if steps == 1 else f" in {steps} steps"
    if hint := _known_mistake(definition, problem, reference, losses, state, dtype, earlier):
        return f"{_what(arrays, reference, state, errors)}{after}: {hint}"
    if not arrays:
        known = _loss_factor(definition, problem, reference, losses)
        return (
            f"computes a wrong loss{after}: relative error {errors['loss']:.2g}, allowed "
            f"{allowed['loss']:.2g}; its updates are right{known}"
        )
    name = arrays[0]
    text = (
        f"{_what(arrays, reference, state, errors)}{after}: relative error of {name} "
        f"{errors[name]:.2g}, allowed {allowed[name]:.2g}; "
    )
    if errors[name] < LOW_PRECISION and ("loss" not in wrong or errors["loss"] < LOW_PRECISION):
        return (
            text + f"an error this small is what arithmetic in a lower precision than {dtype} gives"
        )
    if "loss" in wrong and steps == 1:
        loss = errors["loss"]
        return (
            text + f"its loss is wrong too (relative error {loss:.2g}): see the forward pass first"
        )
    return text + "its first loss is right: see the backward pass, the update and set_state()"


def _what(
    arrays: Sequence[str], reference: Reference, state: Sequence[Float64], errors: Distances
) -> str:
    """What happens to the arrays: none moves, they climb, they move too far, or it is wrong."""
    if not arrays:
        return "computes a wrong loss"
    names = list(reference.names)
    joined = _join(arrays)
    factors = []
    for name in arrays:
        place = names.index(name)
        right = reference.exact.state[place] - reference.start[place]
        moved = state[place] - reference.start[place].astype(state[place].dtype)
        if not moved.any():
            return f"never updates {name}"
        factor, rest = _projected(moved, right)
        factors.append(factor if rest < 1e-3 and abs(factor - 1) > 0.01 else math.nan)
    if all(factor < 0 for factor in factors):
        return f"updates {joined} in the wrong direction: it climbs"
    mean = float(np.mean(factors))
    if math.isfinite(mean) and max(factors) - min(factors) < 1e-3 * abs(mean):
        return f"moves {joined} {mean:.4g} times as far as it should"
    return f"updates {joined} wrongly"


def _join(names: Sequence[str]) -> str:
    if len(names) <= 4:
        return " and ".join(names)
    return f"{', '.join(names[:3])} and {len(names) - 3} more arrays"


def _projected(moved: Any, right: Any) -> tuple[float, float]:
    """How many times the right update this is, and the relative size of what is left."""
    square = float(np.vdot(right, right))
    if not square or not np.isfinite(moved).all():
        return math.nan, math.inf
    factor = float(np.vdot(moved, right)) / square
    left = moved - factor * right
    return factor, math.sqrt(float(np.vdot(left, left)) / max(float(np.vdot(moved, moved)), 1e-300))


def _known_mistake(
    definition: Definition,
    problem: Problem,
    reference: Reference,
    losses: Float64,
    state: Sequence[Float64],
    dtype: str,
    earlier: Earlier | None,
) -> str:
    """The hint of the mistake that explains the step; empty if none does."""
    start, steps = tuple(reference.start), len(reference.exact.losses)
    for hint, step in mistakes(definition.folder):

        def run(noise: Noise | None = None, step: Callable[..., Any] = step) -> Run:
            memory: dict[str, Any] = {}
            if earlier:
                definition.run(problem, *earlier, step, memory)
            if noise:
                return sample(definition, problem, start, steps, noise, step, memory)
            return definition.run(problem, start, steps, step, memory)

        def draw(number: int, run: Callable[..., Run] = run) -> Run:
            return run(Noise.of(dtype, number))

        with np.errstate(all="ignore"):
            mistaken = replace(reference, exact=run(), draw=draw, relative=None, samples=[])
            if _is_near(mistaken, losses, state):
                return hint
    return ""


def _is_near(mistaken: Reference, losses: Float64, state: Sequence[Float64]) -> bool:
    """Whether a step ends where a mistake ends, as far as rounding allows there."""
    found = mistaken.errors(losses, state)
    if not all(error <= MISTAKEN for error in found.values()):
        return False  # without the cost of noisy runs
    return mistaken.compare(losses, state) is not None


def _loss_factor(
    definition: Definition, problem: Problem, reference: Reference, losses: Float64
) -> str:
    """A factor that explains a wrong loss, if a product of sizes is one."""
    right = reference.exact.losses[reference.every - 1 :: reference.every][-len(losses) :]
    factors = right / losses if np.all(losses) else np.zeros(1)
    factor = float(factors[0])
    if not np.allclose(factors, factor, rtol=1e-3) or not math.isfinite(factor):
        return ""
    for text, size in _products(definition.sizes_of(problem)):
        if math.isclose(factor, size, rel_tol=1e-3):
            return f"; it is 1/{size:g} of the right one, {text}: a mean instead of a sum"
    return f"; it is {1 / factor:.4g} times the right one" if factor else ""


def _products(sizes: dict[str, int]) -> Iterator[tuple[str, int]]:
    names = list(sizes)
    yield from sizes.items()
    for place, one in enumerate(names):
        for other in names[place + 1 :]:
            yield f"{one}·{other}", sizes[one] * sizes[other]


@cache
def mistakes(folder: Path) -> list[Mistake]:
    """Hint and step of each mistake that the problem folder lists."""
    file = folder / FILE
    if not file.is_file():
        return []
    module = modules.load(f"bench_mistakes_{folder.name}", file)
    functions = inspect.getmembers(module, inspect.isfunction)
    return [
        (" ".join((function.__doc__ or name.replace("_", " ")).split()).rstrip("."), function)
        for name, function in functions
        if function.__module__ == module.__name__ and not name.startswith("_")
    ]
