"""What a step is asked, and float64's answer: fresh problems and weights from a nonce that whoever runs the step does not know.

A question must never be asked twice: a step that remembers answers would pass. Given its nonce, it can be drawn again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.api import Problem, Weights, steady_learning_rate, weights_dtype
from backends.reference import Trajectory, train
from bench.errors import Wrong
from bench.judge import proof
from bench.judge.proof import Errors
from bench.schema.case import Case, Shape

Arrays = Sequence[NDArray[Any]]
SHAPES = (Shape(33, 257, 65, 17), Shape(7, 13, 5, 3), Shape(1, 1, 1, 1))
"""Proven at beside the shape that is timed; multiples of nothing."""
TRAJECTORY = 10


@dataclass(frozen=True)
class Round:
    """A start, and where right steps end that begin there."""

    problem: Problem
    dtype: str
    start: Weights
    expected: Trajectory | None
    """None of a round that nobody proves."""
    sides: list[Trajectory] = field(default_factory=list)
    """The same with undecided units on other sides, as far as steps were right with them: most take the same ones, and finding
    out which takes a tenth of a second."""

    @classmethod
    def draw(cls, case: Case, seed: int, nonce: str, name: str, steps: int, proven: bool) -> Round:
        """Of `steps` steps on the problem that is timed, from weights of its own."""
        problem = timed(_shared(case), seed)
        start = _weights(problem, nonce, name)
        return cls(problem, case.dtype, start, _train(problem, steps, case.dtype, start) if proven else None)

    @property
    def given(self) -> Weights:
        """The start as a step of this dtype takes it."""
        w1, w2 = (w.astype(weights_dtype(self.dtype)) for w in self.start)
        return w1, w2

    def judge(self, losses: NDArray[Any], weights: Weights, every: int) -> Errors:
        """Of each `every`-th loss, as far as they were told, and the weights at the end. Raises `Wrong`."""
        assert self.expected is not None
        expected = replace(self.expected, every=every)
        if losses.ndim != 1 or not 1 <= len(losses) <= len(expected.losses) // every:
            raise Wrong(f"tells losses of shape {losses.shape} after {len(expected.losses)} steps")
        return proof.judge(self.problem, expected, losses.tolist(), weights, self.dtype, self.sides)


class Proof:
    """One fresh problem: a step from its own weights, then ten from others."""

    def __init__(self, shape: Shape, dtype: str, steps_per_call: int, nonce: str, name: str) -> None:
        self.every = steps_per_call
        self.calls = max(2, TRAJECTORY // steps_per_call)
        self.problem = fresh(shape, nonce, name)
        self.rounds = [
            Round(self.problem, dtype, start, _train(self.problem, calls * steps_per_call, dtype, start))
            for calls, start in (
                (1, (self.problem.w1, self.problem.w2)),
                (self.calls, _weights(self.problem, nonce, f"{name}, others")),
            )
        ]

    @property
    def given(self) -> Arrays:
        return (*arrays(self.problem), *self.rounds[1].given)

    def judge(self, answers: Arrays) -> Errors:
        """Of losses and weights after the first call and after the others. Raises `Wrong`."""
        once, ten = (
            each.judge(losses, (w1, w2), self.every)
            for each, (losses, w1, w2) in zip(self.rounds, _split(answers, 2), strict=True)
        )
        return once.worst(ten)


class Turns:
    """Two problems whose steps are taken in turns."""

    CALLS = 3

    def __init__(self, dtype: str, steps_per_call: int, nonce: str) -> None:
        self.every = steps_per_call
        self.problems = [fresh(SHAPES[0], nonce, f"turn {number}") for number in range(2)]
        self.rounds = [
            Round(each, dtype, (each.w1, each.w2), _train(each, self.CALLS * steps_per_call, dtype, (each.w1, each.w2)))
            for each in self.problems
        ]

    @property
    def given(self) -> Arrays:
        return [array for problem in self.problems for array in arrays(problem)]

    def judge(self, answers: Arrays) -> None:
        """Raises `Wrong`."""
        pairs = zip(self.rounds, _split(answers, 2), strict=True)
        try:
            for each, (losses, w1, w2) in pairs:
                each.judge(losses, (w1, w2), self.every)
        except Wrong:
            raise Wrong(
                "shares state between two instances: each is right alone, and wrong when they "
                "take turns"
            ) from None


def _split(answers: Arrays, rounds: int) -> list[Arrays]:
    """Losses, w1 and w2 of each of so many rounds. Raises `Wrong`."""
    if len(answers) != 3 * rounds:
        raise Wrong(f"answers with {len(answers)} arrays, expected {3 * rounds}")
    return [answers[place : place + 3] for place in range(0, len(answers), 3)]


def arrays(problem: Problem) -> Arrays:
    """What a worker gets of a problem; `problem_from` makes it one again."""
    return problem.x, problem.y, problem.w1, problem.w2, np.array([problem.learning_rate])


def timed(case: Case, seed: int) -> Problem:
    """The problem that is timed: the same data in the whole run, for every backend."""
    return _timed(_shared(case), seed)


@lru_cache(maxsize=8)
def _timed(case: Case, seed: int) -> Problem:
    return case.problem(seed)


def fresh(shape: Shape, nonce: str, name: str) -> Problem:
    """A problem in which some hidden unit is open: without one a tiny network has no update that could be wrong."""
    rate = steady_learning_rate(*shape)
    drawn = (Problem.random(*shape, seed=_seed(nonce, name, number), learning_rate=rate) for number in count())
    return next(problem for problem in drawn if _alive(problem, problem.w1))


def _weights(problem: Problem, nonce: str, name: str) -> Weights:
    """Weights that no step has seen, of which some open a hidden unit too."""
    _, D_in, H, D_out = problem.shape
    normals = (np.random.default_rng(_seed(nonce, name, number)).standard_normal for number in count())
    drawn = ((normal((D_in, H)), normal((H, D_out))) for normal in normals)
    return next(weights for weights in drawn if _alive(problem, weights[0]))


def _alive(problem: Problem, w1: NDArray[np.float64]) -> bool:
    return bool((problem.x[:8] @ w1 > 0).any() or (problem.x @ w1 > 0).any())


def _train(problem: Problem, steps: int, dtype: str, start: Weights) -> Trajectory:
    return train(problem, steps, start, kink_margin=proof.KINK_MARGIN[dtype])


def _shared(case: Case) -> Case:
    """All backends and devices share problems and references."""
    return replace(case, backend="", device="", twin=False, side="")


def _seed(nonce: str, name: str, number: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{nonce} {name} {number}".encode()).digest()[:16])
