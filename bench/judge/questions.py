"""What a step is asked: fresh problems and states, drawn from a nonce that workers do not know.

Every question is new, so that a step that remembers answers fails. Given its nonce, a question can be
drawn again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import count, islice
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.api import Problem, weights_dtype
from bench.errors import UsageError, Wrong
from bench.judge.checking import check, check_mistakes
from bench.judge.comparing import Distances, Errors, Question
from bench.judge.diagnosis import diagnose
from bench.problem import NAME, Definition, Float64

Arrays = Sequence[NDArray[Any]]
Seed = tuple[str, str]
Start = tuple[Problem, tuple[Float64, ...]]
TRAJECTORY = 10
CALIBRATIONS = 3
"""Starts, and noisy runs of each, by which it is measured what may differ in timed rounds."""
ATTEMPTS = 100
"""Problems drawn at most until one step changes every array."""


class Questions:
    """Draws the questions of one run: of one problem folder, from the seed of its data."""

    def __init__(self, definition: Definition, seed: int) -> None:
        self.definition, self.seed = definition, seed
        self._problems: dict[tuple[str, str], Problem] = {}
        self._relative: dict[tuple[str, str, int], Distances] = {}

    def timed_problem(self, shape: str, dtype: str) -> Problem:
        """The problem that is timed: the same in the whole run, for every backend."""
        if (shape, dtype) not in self._problems:
            if not self._problems:
                check_mistakes(self.definition)
            for each in (self.definition.small[0], shape):
                check(self.definition, each, dtype)
            self._problems[shape, dtype] = self.definition.draw(shape, dtype, self.seed)
        return self._problems[shape, dtype]

    def round(
        self, shape: str, dtype: str, steps: int, every: int, seed: Seed, proven: bool
    ) -> Question:
        """Some steps on the problem that is timed, from a state of their own."""
        problem = self.timed_problem(shape, dtype)
        states = self._states(problem, shape, dtype, seed)
        if not proven:
            return Question(self.definition, problem, dtype, next(states)[1], steps, every)
        return self._moving(states, dtype, steps, every, self.relative(shape, dtype, steps))

    def proof(self, shape: str, dtype: str, every: int, seed: Seed, timed: bool) -> list[Question]:
        """A call on a fresh problem, then some calls from another state.

        `timed`: what may differ is known from other starts; at small shapes it varies too much.
        """
        calls = max(2, TRAJECTORY // every)
        known = [self.relative(shape, dtype, n * every) if timed else None for n in (1, calls)]
        first = self.fresh(shape, dtype, every, every, seed, known[0])
        nonce, name = seed
        states = self._states(first.problem, shape, dtype, (nonce, f"{name}, others"))
        others = self._moving(states, dtype, calls * every, every, known[1])
        others.earlier = first.start, every
        return [first, others]

    def fresh(
        self, shape: str, dtype: str, steps: int, every: int, seed: Seed,
        relative: Distances | None = None,
    ) -> Question:
        """Some steps on a fresh problem from its own state."""
        drawn = (self.definition.draw(shape, dtype, _number(*seed, n)) for n in count())
        starts = ((problem, tuple(problem.state.values())) for problem in drawn)
        return self._moving(starts, dtype, steps, every, relative)

    def relative(self, shape: str, dtype: str, steps: int) -> Distances:
        """What may differ after so many steps, relative to the right updates, measured once."""
        key = shape, dtype, steps
        if key not in self._relative:
            seeds = [("calibration", str(number)) for number in range(CALIBRATIONS)]
            asked = [self.fresh(shape, dtype, steps, steps, seed) for seed in seeds]
            each = [one.relative_allowed(CALIBRATIONS) for one in asked]
            self._relative[key] = {name: median(one[name] for one in each) for name in each[0]}
        return self._relative[key]

    def _states(self, problem: Problem, shape: str, dtype: str, seed: Seed) -> Iterator[Start]:
        for number in count():
            yield problem, self.definition.draw_state(shape, dtype, _number(*seed, number))

    def _moving(
        self, starts: Iterable[Start], dtype: str, steps: int, every: int,
        relative: Distances | None,
    ) -> Question:
        """The first start from which the steps change every array of the state."""
        for problem, start in islice(starts, ATTEMPTS):
            question = Question(self.definition, problem, dtype, start, steps, every, relative)
            if question.moves():
                return question
        raise UsageError(
            f"{self.definition.folder / NAME}: {steps} steps leave an array of the state as it was "
            f"in {ATTEMPTS} problems; move it to the data, or use larger sizes."
        )


def judge(question: Question, answers: Arrays) -> Errors:
    """Compares losses, then the state at the end, with the reference. Raises `Wrong`."""
    losses, *state = answers
    steps, held = question.steps, np.dtype(weights_dtype(question.dtype))
    if losses.ndim != 1 or not 1 <= len(losses) <= steps // question.every:
        raise Wrong(f"reports losses of shape {losses.shape} after {steps} steps")
    for name, start, array in zip(question.names, question.start, state, strict=True):
        if array.shape != start.shape or array.dtype != held:
            found = f"{array.dtype} {array.shape}"
            raise Wrong(f"hands out {name} as {found}, expected {held} {start.shape}")
    if errors := question.compare(losses, [array.astype(np.float64) for array in state]):
        return errors
    raise Wrong(diagnose(question, losses, state))


def split(answers: Arrays, questions: Sequence[Question]) -> list[Arrays]:
    """Losses and state for each of the questions. Raises `Wrong`."""
    each = 1 + len(questions[0].start)
    if len(answers) != each * len(questions):
        raise Wrong(f"answers with {len(answers)} arrays, expected {each * len(questions)}")
    return [answers[place : place + each] for place in range(0, len(answers), each)]


def arrays(problem: Problem) -> Arrays:
    """Data and state as a worker gets them."""
    return [*problem.data.values(), *problem.state.values()]


def about(problem: Problem) -> dict[str, Any]:
    """What a worker needs besides the arrays to build the problem again."""
    return {
        "shape": list(problem.shape),
        "data": list(problem.data),
        "state": list(problem.state),
        "constants": dict(problem.constants),
    }


def _number(nonce: str, name: str, number: int) -> int:
    digest = hashlib.sha256(f"{nonce} {name} {number}".encode()).digest()
    return int.from_bytes(digest[:16])
