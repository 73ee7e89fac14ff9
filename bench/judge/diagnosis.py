"""What a wrong step does wrong, in one sentence: which array, how far off, and what explains it.

A problem folder may list mistakes that people make in `mistakes.py`: variants of `step`, each with a
hint as its docstring. If a wrong step ends where one of them does, the sentence says so.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
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


def diagnose(question: Question, losses: Float64, state: Sequence[Float64]) -> str:
    """The sentence, without the name of the step."""
    steps, errors, allowed = question.steps, question.errors(losses, state), question.relative_allowed()
    wrong = [name for name in errors if not errors[name] <= allowed[name]]
    arrays = [name for name in wrong if name != "loss"]
    what = f"{_what(arrays, question, state)}{'' if steps == 1 else f' in {steps} steps'}: "
    if hint := _known_mistake(question, losses, state):
        return what + hint
    name = arrays[0] if arrays else "loss"
    if not arrays:
        hint = f"its updates are right{_loss_factor(question, losses)}"
    elif all(errors[each] < LOW_PRECISION for each in {name, "loss"}.intersection(wrong)):
        hint = f"such an error comes from arithmetic in a lower precision than {question.dtype}, or from a missing term"
    elif "loss" in wrong and steps == 1:
        hint = f"its loss is wrong too (relative error {errors['loss']:.2g}): see the forward pass first"
    else:
        hint = "its first loss is right: see the backward pass, the update and set_state()"
    return f"{what}relative error{f' of {name}' if arrays else ''} {errors[name]:.2g}, allowed {allowed[name]:.2g}; {hint}"


def _what(arrays: Sequence[str], question: Question, state: Sequence[Float64]) -> str:
    """What happens to the arrays: none moves, they climb, they move too far, or it is wrong."""
    if not arrays:
        return "computes a wrong loss"
    factors = []
    for name in arrays:
        place = question.names.index(name)
        right = question.exact.state[place] - question.start[place]
        moved = state[place] - question.start[place].astype(state[place].dtype)
        if not moved.any():
            return f"never updates {name}"
        factors.append(_factor(moved, right))
    joined = " and ".join(arrays) if len(arrays) <= 4 else f"{', '.join(arrays[:3])} and {len(arrays) - 3} more arrays"
    if all(factor < 0 for factor in factors):
        return f"updates {joined} in the wrong direction: it climbs"
    mean = float(np.mean(factors))
    if math.isfinite(mean) and max(factors) - min(factors) < 1e-3 * abs(mean):
        return f"moves {joined} {mean:.4g} times as far as it should"
    return f"updates {joined} wrongly"


def _factor(moved: Any, right: Any) -> float:
    """How many times the right update this is; NaN if it is another one, or the right one."""
    square = float(np.vdot(right, right))
    if not square or not np.isfinite(moved).all():
        return math.nan
    factor = float(np.vdot(moved, right)) / square
    left = moved - factor * right
    rest = math.sqrt(float(np.vdot(left, left)) / max(float(np.vdot(moved, moved)), 1e-300))
    return factor if rest < 1e-3 and abs(factor - 1) > 0.01 else math.nan


def _known_mistake(question: Question, losses: Float64, state: Sequence[Float64]) -> str:
    """The hint of the mistake that explains the step as far as rounding allows; empty if none does."""
    with np.errstate(all="ignore"):
        most = min(MISTAKEN, max(question.errors(losses, state).values()))  # a mistake is nearer than the right step
        for hint, step in mistakes(question.definition.folder):
            mistaken = replace(question, step=step, relative=None)
            errors = mistaken.errors(losses, state).values()  # without the cost of noisy runs
            if max(errors) <= most and mistaken.compare(losses, state):
                return hint
    return ""


def _loss_factor(question: Question, losses: Float64) -> str:
    """A factor that explains a wrong loss, if a product of sizes is one."""
    right = question.reported(question.exact, len(losses))
    factors = right / losses if np.all(losses) else np.zeros(1)
    factor = float(factors[0])
    if not np.allclose(factors, factor, rtol=1e-3) or not math.isfinite(factor):
        return ""
    sizes = dict(zip(question.definition.module.SIZES, question.problem.shape, strict=True))
    products = {f"{one}·{other}": sizes[one] * sizes[other] for one, other in combinations(sizes, 2)}
    for text, size in (sizes | products).items():
        if math.isclose(factor, size, rel_tol=1e-3):
            return f"; it is 1/{size:g} of the right one, {text}: a mean instead of a sum"
    return f"; it is {1 / factor:.4g} times the right one" if factor else ""


@cache
def mistakes(folder: Path) -> list[tuple[str, Callable[..., Any]]]:
    """Hint and step of each mistake that the problem folder lists."""
    file = folder / FILE
    if not file.is_file():
        return []
    module = load_module(f"bench_mistakes_{folder.name}", file)
    return [
        (" ".join((function.__doc__ or name.replace("_", " ")).split()).rstrip("."), function)
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    ]
