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
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from bench.judge.comparing import Question
from bench.paths import load_module
from bench.problem import Float64

FILE = "mistakes.py"
MISTAKEN = 0.1
"""Relative errors above this are not rounding."""
LOW_PRECISION = 0.05
"""Relative errors below this are what arithmetic in a lower precision gives."""
Mistake = tuple[str, Callable[..., Any]]


def diagnose(question: Question, losses: Float64, state: Sequence[Float64]) -> str:
    """The sentence, without the name of the step."""
    steps, dtype = question.steps, question.dtype
    errors, allowed = question.errors(losses, state), question.relative_allowed()
    wrong = [name for name in errors if not errors[name] <= allowed[name]]
    arrays = [name for name in wrong if name != "loss"]
    after = "" if steps == 1 else f" in {steps} steps"
    what = f"{_what(arrays, question, state)}{after}: "
    if hint := _known_mistake(question, losses, state):
        return what + hint
    if not arrays:
        known = _loss_factor(question, losses)
        return (
            f"computes a wrong loss{after}: relative error {errors['loss']:.2g}, allowed "
            f"{allowed['loss']:.2g}; its updates are right{known}"
        )
    name = arrays[0]
    text = f"{what}relative error of {name} {errors[name]:.2g}, allowed {allowed[name]:.2g}; "
    if errors[name] < LOW_PRECISION and ("loss" not in wrong or errors["loss"] < LOW_PRECISION):
        return f"{text}such an error comes from arithmetic in a lower precision than {dtype}, or from a missing term"
    if "loss" in wrong and steps == 1:
        size = f"(relative error {errors['loss']:.2g})"
        return f"{text}its loss is wrong too {size}: see the forward pass first"
    return text + "its first loss is right: see the backward pass, the update and set_state()"


def _what(arrays: Sequence[str], question: Question, state: Sequence[Float64]) -> str:
    """What happens to the arrays: none moves, they climb, they move too far, or it is wrong."""
    if not arrays:
        return "computes a wrong loss"
    joined, factors = _join(arrays), []
    for name in arrays:
        place = question.names.index(name)
        right = question.exact.state[place] - question.start[place]
        moved = state[place] - question.start[place].astype(state[place].dtype)
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


def _known_mistake(question: Question, losses: Float64, state: Sequence[Float64]) -> str:
    """The hint of the mistake that explains the step as far as rounding allows; empty if none does."""
    with np.errstate(all="ignore"):
        for hint, step in mistakes(question.definition.folder):
            mistaken = replace(question, step=step, relative=None)
            errors = mistaken.errors(losses, state).values()  # without the cost of noisy runs
            if all(error <= MISTAKEN for error in errors) and mistaken.compare(losses, state):
                return hint
    return ""


def _loss_factor(question: Question, losses: Float64) -> str:
    """A factor that explains a wrong loss, if a product of sizes is one."""
    right = question.reported(question.exact, len(losses))
    factors = right / losses if np.all(losses) else np.zeros(1)
    factor = float(factors[0])
    if not np.allclose(factors, factor, rtol=1e-3) or not math.isfinite(factor):
        return ""
    for text, size in _products(question.definition.sizes_of(question.problem)):
        if math.isclose(factor, size, rel_tol=1e-3):
            return f"; it is 1/{size:g} of the right one, {text}: a mean instead of a sum"
    return f"; it is {1 / factor:.4g} times the right one" if factor else ""


def _products(sizes: dict[str, int]) -> Iterator[tuple[str, int]]:
    yield from sizes.items()
    for one, other in combinations(sizes, 2):
        yield f"{one}·{other}", sizes[one] * sizes[other]


@cache
def mistakes(folder: Path) -> list[Mistake]:
    """Hint and step of each mistake that the problem folder lists."""
    file = folder / FILE
    if not file.is_file():
        return []
    module = load_module(f"bench_mistakes_{folder.name}", file)
    functions = inspect.getmembers(module, inspect.isfunction)
    return [
        (" ".join((function.__doc__ or name.replace("_", " ")).split()).rstrip("."), function)
        for name, function in functions
        if function.__module__ == module.__name__ and not name.startswith("_")
    ]
