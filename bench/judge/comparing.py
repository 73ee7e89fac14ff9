"""Compares losses and updates of a step with the reference.

The comparison is of *updates*, not of values: a step without its ReLU's mask gets the update of w1
wrong by 92 % and its values by less than 1 %. What may differ is measured: by how much runs of the
reference with rounding noise scatter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.api import Problem, weights_dtype
from bench.judge.noise import Noise, sample
from bench.problem import Definition, Float64, Run
from bench.schema.records import ErrorsRecord

FACTOR, FEW = 4.0, 3.0
"""An array of many numbers may be off by so many times the median distance of noisy runs, one of few
by (1 + 3/√numbers) times more: their distance varies more from run to run."""
SAMPLES, MOST = 8, 64
"""Noisy runs of a start from which distances are known, and that a step is compared with at most
before it is refused: where a hidden unit is near zero, honest steps end near some of them."""
NEAR = 1.5
"""How much farther a step may be from a noisy run than from the exact one: both have noise."""
ROUNDING = 2**-53
"""Of the exact run itself, in float64: noisy runs of a single number may all end where it ends."""
Distances = dict[str, float]


@dataclass
class Question:
    """Some steps from `start`: where right ones end, and what may differ."""

    definition: Definition
    problem: Problem
    dtype: str
    start: tuple[Float64, ...]
    steps: int
    every: int = 1
    """Steps between two losses that are reported: a call of several steps reports the last."""
    relative: Distances | None = None
    """What may differ, relative to the right updates, as known from other starts."""
    earlier: tuple[Sequence[Float64], int] | None = None
    """Where the same step took steps before, and how many."""
    step: Callable[..., Any] | None = None
    """A mistaken variant of the problem's step, whose ends are asked for instead."""
    samples: list[Run] = field(default_factory=list, init=False)

    @property
    def given(self) -> list[NDArray[Any]]:
        """The start in the dtype of the state."""
        return [array.astype(weights_dtype(self.dtype)) for array in self.start]

    @property
    def names(self) -> list[str]:
        return list(self.problem.state)

    @cached_property
    def exact(self) -> Run:
        return self.run()

    def run(self, noise: Noise | None = None) -> Run:
        """Takes the steps, with the rounding noise of the dtype if some is given."""
        memory: dict[str, Any] = {}
        if self.step and self.earlier:
            self.definition.run(self.problem, *self.earlier, self.step, memory)
        about = self.problem, self.start, self.steps
        if noise:
            return sample(self.definition, *about, noise, self.step, memory)
        return self.definition.run(*about, self.step, memory)

    def compare(self, losses: Float64, state: Sequence[Float64]) -> ErrorsRecord | None:
        """The errors of the last `len(losses)` losses and the final state; None for a wrong step."""
        found, sizes = self._distances(losses, state, self.exact), self._sizes(len(losses))
        if not all(map(math.isfinite, found.values())):
            return None
        known = self.relative
        allowed = {n: known[n] * sizes[n] for n in known} if known else self.allowed(len(losses))
        share, runs, noisy = _share(found, allowed), 0, self._noisy_runs()
        while not share <= 1 and (near := next(noisy, None)):
            share, runs = _share(self._distances(losses, state, near), allowed) / NEAR, runs + 1
        if not share <= 1:
            share = _share(found, self.allowed(len(losses)))  # this start may allow more
        return {"share": share, "arrays": _over(found, sizes), "noisy_runs": runs} if share <= 1 else None

    def errors(self, losses: Float64, state: Sequence[Float64]) -> Distances:
        """Errors relative to the right losses and to the right update of each array."""
        return _over(self._distances(losses, state, self.exact), self._sizes(len(losses)))

    def allowed(self, losses: int = 1, samples: int = SAMPLES) -> Distances:
        """How far the last losses and each array may be off, by so many noisy runs."""
        runs = islice(self._noisy_runs(), samples)
        each = [self._distances(self.reported(run, losses), run.state, self.exact) for run in runs]
        counts = {"loss": 1, **{n: a.size for n, a in zip(self.names, self.start, strict=True)}}
        medians = {name: float(np.median([one[name] for one in each])) for name in counts}
        ends = self._distances(np.zeros(losses), [np.zeros(())] * len(self.names), self.exact)
        return {
            name: FACTOR * (1 + FEW / math.sqrt(count)) * max(medians[name], ROUNDING * ends[name])
            for name, count in counts.items()
        }

    def relative_allowed(self, samples: int = SAMPLES) -> Distances:
        """`allowed`, relative to the right loss and updates."""
        return _over(self.allowed(samples=samples), self._sizes(1))

    def moves(self) -> bool:
        """Whether every array of the state changes, so that a wrong update can be seen."""
        pairs = zip(self.exact.state, self.start, strict=True)
        return all(bool(np.any(now != before)) for now, before in pairs)

    def reported(self, run: Run, number: int) -> Float64:
        """The last so many of the losses that are reported."""
        return run.losses[self.every - 1 :: self.every][-number:]

    def _noisy_runs(self) -> Iterator[Run]:
        for number in range(MOST):
            if number == len(self.samples):
                self.samples.append(self.run(Noise(self.dtype, number)))
            yield self.samples[number]

    def _distances(self, losses: Float64, state: Sequence[Float64], other: Run) -> Distances:
        """To another run: of losses the largest difference, of each array the norm of it."""
        apart = np.abs(losses - self.reported(other, len(losses)))
        pairs = zip(self.names, state, other.state, strict=True)
        return {"loss": float(np.max(apart)), **{n: _norm(now - end) for n, now, end in pairs}}

    def _sizes(self, losses: int) -> Distances:
        """The largest of the right losses, and the norm of each right update."""
        return self._distances(np.zeros(losses), self.start, self.exact)


def worst(errors: Iterable[ErrorsRecord | None]) -> ErrorsRecord | None:
    """The largest of each error; noisy runs add up."""
    some = [each for each in errors if each]
    if not some:
        return None
    return {
        "share": max(each["share"] for each in some),
        "arrays": {name: max(each["arrays"][name] for each in some) for name in some[0]["arrays"]},
        "noisy_runs": sum(each["noisy_runs"] for each in some),
    }


def _over(distances: Distances, sizes: Distances) -> Distances:
    return {name: _ratio(distances[name], sizes[name]) for name in distances}


def _share(distances: Distances, allowed: Distances) -> float:
    return max(_over(distances, allowed).values())


def _ratio(value: float, of: float) -> float:
    if of:
        return value / of if math.isfinite(value) else math.inf
    return math.inf if value else 0.0


def _norm(array: Any) -> float:
    return math.sqrt(np.vdot(array, array)) if np.isfinite(array).all() else math.inf
