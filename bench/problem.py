"""A problem folder's `problem.py` as the harness uses it: sizes, drawn problems, runs of its step.

`problem.py` has `SIZES` (names), `DEFAULT` and `SMALL` (shapes such as `64x1000x100x10`), and the
functions `draw_data`, `draw_state`, `constants`, `operations` and `numbers_moved` of these sizes,
and `step(data, state, **constants)`, which returns the loss before the update and the new state.
It is plain NumPy; run in float64 it is the reference.
"""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.api import Problem, weights_dtype
from bench.errors import UsageError
from bench.paths import load_module
from bench.schema.records import ProblemRecord

NAME, HELP = "problem.py", "docs/your-own-problem.md"
NEEDED = ("SIZES", "DEFAULT", "SMALL", "draw_data", "draw_state", "constants", "step", "operations", "numbers_moved")
Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Run:
    """Some steps from a start: the loss before each update, and the state after the last one."""

    losses: Float64  # (steps,)
    state: tuple[Float64, ...]


@dataclass(frozen=True)
class Definition:
    """What a problem folder defines."""

    folder: Path
    module: ModuleType
    hash: str  # of the text of `problem.py`: runs of different problems are not compared

    @staticmethod
    @cache
    def load(folder: Path) -> Definition:
        """Of an absolute path. Raises `UsageError` for a folder without a usable `problem.py`."""
        file = folder / NAME
        if not file.is_file():
            raise UsageError(f"BENCH_PROBLEM={folder}: has no {NAME}; name a folder with a problem and its backends.")
        digest = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
        try:
            module = load_module(f"bench_problem_{digest}", file)
        except Exception as error:
            raise UsageError(f"{file}: cannot be imported: {type(error).__name__}: {error}.") from None
        for wanted in NEEDED:
            if not hasattr(module, wanted):
                raise UsageError(f"{file}: has no {wanted}; {HELP} says what a problem needs.")
        definition = Definition(folder, module, digest)
        if not definition.small:
            raise UsageError(f"{file}: SMALL is empty; add shapes to prove steps at, such as ('7x5',).")
        try:
            for shape in (definition.default, *definition.small):
                definition.check_shape(shape)
        except ValueError as error:
            expected = str(error).partition(", such as")[0]
            raise UsageError(f"{file}: DEFAULT and SMALL have the shape {shape!r}; expected {expected}.") from None
        return definition

    @property
    def default(self) -> str:
        return str(self.module.DEFAULT)

    @property
    def small(self) -> tuple[str, ...]:
        """Shapes at which a step is proven besides the one that is timed."""
        return tuple(self.module.SMALL)

    def check_shape(self, text: str) -> str:
        """The shape, if it has the problem's sizes. Raises `ValueError` with what was expected."""
        names = self.module.SIZES
        match = re.fullmatch("x".join([" *0*([1-9][0-9]*) *"] * len(names)), text)
        if not match:
            raise ValueError(f"{'x'.join(names)} of whole numbers of at least 1, such as {self.default}")
        return "x".join(match.groups())

    def sizes(self, shape: str) -> dict[str, int]:
        return dict(zip(self.module.SIZES, map(int, shape.split("x")), strict=True))

    def _call(self, function: str, shape: str, kind: Callable[[Any], Any], *arguments: Any) -> Any:
        """What a function of `problem.py` returns, each number or array as this kind. Raises `UsageError`."""
        try:
            result = getattr(self.module, function)(*arguments, **self.sizes(shape))
            return int(result) if kind is int else {name: kind(each) for name, each in result.items()}
        except Exception as error:
            what = f"raises {type(error).__name__}: {error} (shape {shape})"
            raise UsageError(f"{self.folder / NAME}: {function} {what}; {HELP} says what it returns.") from None

    def constants(self, shape: str) -> Any:
        return self._call("constants", shape, float)

    def as_record(self) -> ProblemRecord:
        """For a journal's header."""
        return {"name": self.folder.name, "hash": self.hash, "sizes": list(self.module.SIZES), "default": self.default}

    def region_bytes(self, shape: str) -> int:
        """Bytes of the largest request: data, a state, another state, losses; in float64."""
        problem = self.draw(shape, "float64", 0)
        data, state = (sum(array.nbytes for array in arrays.values()) for arrays in (problem.data, problem.state))
        return data + 4 * state + (1 << 20)

    def operations(self, shape: str) -> int:
        return int(self._call("operations", shape, int))

    def bytes_moved(self, shape: str, dtype: str) -> int:
        """Bytes that a step has to move at least."""
        return int(self._call("numbers_moved", shape, int)) * np.dtype(weights_dtype(dtype)).itemsize

    def draw(self, shape: str, dtype: str, seed: int) -> Problem:
        """The problem of a seed, each number exact in the dtype of the state."""
        rng = np.random.default_rng(seed)
        data, state = (self._call(draw, shape, partial(_rounded, dtype=dtype), rng) for draw in ("draw_data", "draw_state"))
        return Problem(tuple(self.sizes(shape).values()), data, state, self.constants(shape))

    def draw_state(self, shape: str, dtype: str, seed: int) -> tuple[Float64, ...]:
        """Another state for the same data."""
        return tuple(self._call("draw_state", shape, partial(_rounded, dtype=dtype), np.random.default_rng(seed)).values())

    def run(
        self, problem: Problem, state: Sequence[Float64], steps: int,
        step: Callable[..., Any] | None = None, memory: dict[str, Any] | None = None,
    ) -> Run:  # fmt: skip
        """Takes steps from a state; with `step` a variant, to which `memory` may belong."""
        step = step or self.module.step
        options: dict[str, Any] = dict(problem.constants)
        if "memory" in inspect.signature(step).parameters:
            options["memory"] = {} if memory is None else memory
        names = list(problem.state)
        now: Mapping[str, Any] = dict(zip(names, state, strict=True))
        losses = []
        for _ in range(steps):
            loss, now = step(problem.data, now, **options)
            losses.append(float(loss))
        return Run(np.array(losses), tuple(np.asarray(now[name]) for name in names))


def _rounded(array: Any, dtype: str) -> Float64:
    """A copy whose numbers are exact in the dtype of the state."""
    return np.array(array, np.float64).astype(weights_dtype(dtype)).astype(np.float64)
