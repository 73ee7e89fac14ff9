"""The requests of a judge, which draws fresh problems and states from nonces that workers do not know.

Every question is new, so that a step that remembers answers fails. Given its nonce, a question can be
drawn again.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import count, islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.api import Problem, weights_dtype
from bench.conversation import Reply
from bench.errors import UsageError, Wrong
from bench.judge.checking import check, check_mistakes
from bench.judge.comparing import Distances, Errors, Question
from bench.judge.diagnosis import diagnose
from bench.problem import NAME, Definition, Float64

Arrays = Sequence[NDArray[Any]]
Start = tuple[Problem, tuple[Float64, ...]]
TRAJECTORY = 10
CALIBRATIONS = 3
"""Starts, and noisy runs of each, by which it is measured what may differ in timed rounds."""
ATTEMPTS = 100
"""Problems drawn at most until one step changes every array."""


class Requests:
    """The judge of one run: of one problem folder, from the seed of its data.

    `bench.measure` asks by the names of methods, and never while a step is timed; `every` is the number
    of steps of a call.
    """

    def __init__(self, seed: int, problem: str) -> None:
        self.definition, self.seed = Definition.load(Path(problem)), seed
        self.nonce = ""
        self.asked: list[Question] = []
        """Of the latest proof or turns."""
        self.rounds: dict[str, Question] = {}
        self._problems: dict[tuple[str, str], Problem] = {}
        self._relative: dict[tuple[str, str, int], Distances] = {}

    def problem(self, shape: str, dtype: str) -> Reply:
        """The problem that is timed, and the number of problems of a whole proof."""
        return _handed_out(self.timed_problem(shape, dtype)) | {"proofs": 1 + len(self.definition.small)}

    def prove(self, shape: str, dtype: str, every: int, number: int) -> Reply:
        """A call on the `number`-th problem of a proof, then some calls from another state.

        The case's own shape comes first. There it is known from other starts what may differ; at small
        shapes it varies too much.
        """
        if number == 0:
            self.nonce = secrets.token_hex(16)
        this, seed = (shape, *self.definition.small)[number], f"{self.nonce} proof {number}"
        calls = max(2, TRAJECTORY // every)
        known = [None if number else self.relative(this, dtype, n * every) for n in (1, calls)]
        first = self.fresh(this, dtype, every, every, seed, known[0])
        states = self._states(first.problem, this, dtype, f"{seed}, others")
        others = self._moving(states, dtype, calls * every, every, known[1])
        others.earlier = first.start, every
        self.asked = [first, others]
        return _handed_out(first.problem, *others.given) | {"nonce": self.nonce, "calls": calls}

    def turns(self, shape: str, dtype: str, every: int, calls: int = 3) -> Reply:
        """Two small problems whose steps are taken in turns."""
        small, steps, seeds = self.definition.small[0], calls * every, [f"{self.nonce} turn {n}" for n in range(2)]
        self.asked = [self.fresh(small, dtype, steps, every, seed) for seed in seeds]
        one, other = (question.problem for question in self.asked)
        return _handed_out(one, *_arrays(other)) | {"calls": calls}

    def proven(self, arrays: Arrays) -> Reply:
        """Compares the answers to the latest `prove`. Raises `Wrong`."""
        first, others = _judge_all(self.asked, arrays)
        return {"errors": asdict(first.worst(others))}

    def took_turns(self, arrays: Arrays) -> Reply:
        """Compares the answers to the latest `turns`. Raises `Wrong`."""
        try:
            _judge_all(self.asked, arrays)
        except Wrong:
            raise Wrong("shares state between two instances: each is right alone, and wrong when they take turns") from None
        return {}

    def draw(self, blocks: Sequence[Sequence[dict[str, Any]]]) -> Reply:
        """The rounds of some blocks, and the nonce of each block for the journal."""
        nonces = [secrets.token_hex(16) for _ in blocks]
        for nonce, rounds in zip(nonces, blocks, strict=True):
            self.rounds |= {each["name"]: self.round(nonce, **each) for each in rounds}
        return {"nonces": nonces}

    def forget(self) -> Reply:
        """A pass is over: none of its rounds is asked for again."""
        self.rounds.clear()
        return {}

    def start(self, name: str) -> Reply:
        """The state in which a round starts."""
        return {"arrays": self.rounds[name].given}

    def judged(self, name: str, arrays: Arrays) -> Reply:
        """Compares the losses and the state at the end of a round. Raises `Wrong`."""
        (errors,) = _judge_all([self.rounds[name]], arrays)
        return {"errors": asdict(errors)}

    def timed_problem(self, shape: str, dtype: str) -> Problem:
        """The problem that is timed: the same in the whole run, for every backend."""
        if (shape, dtype) not in self._problems:
            if not self._problems:
                check_mistakes(self.definition)
            for each in (self.definition.small[0], shape):
                check(self.definition, each, dtype)
            self._problems[shape, dtype] = self.definition.draw(shape, dtype, self.seed)
        return self._problems[shape, dtype]

    def round(self, nonce: str, name: str, shape: str, dtype: str, steps: int, every: int, proven: bool) -> Question:
        """Some steps on the problem that is timed, from a state of their own."""
        problem = self.timed_problem(shape, dtype)
        states = self._states(problem, shape, dtype, f"{nonce} {name}")
        if not proven:
            return Question(self.definition, problem, dtype, next(states)[1], steps, every)
        return self._moving(states, dtype, steps, every, self.relative(shape, dtype, steps))

    def fresh(
        self, shape: str, dtype: str, steps: int, every: int, seed: str, relative: Distances | None = None
    ) -> Question:
        """Some steps on a fresh problem from its own state."""
        drawn = (self.definition.draw(shape, dtype, _number(seed, n)) for n in count())
        starts = ((problem, tuple(problem.state.values())) for problem in drawn)
        return self._moving(starts, dtype, steps, every, relative)

    def relative(self, shape: str, dtype: str, steps: int) -> Distances:
        """What may differ after so many steps, relative to the right updates, measured once."""
        key = shape, dtype, steps
        if key not in self._relative:
            asked = [self.fresh(shape, dtype, steps, steps, f"calibration {number}") for number in range(CALIBRATIONS)]
            each = [one.relative_allowed(CALIBRATIONS) for one in asked]
            self._relative[key] = {name: median(one[name] for one in each) for name in each[0]}
        return self._relative[key]

    def _states(self, problem: Problem, shape: str, dtype: str, seed: str) -> Iterator[Start]:
        for number in count():
            yield problem, self.definition.draw_state(shape, dtype, _number(seed, number))

    def _moving(
        self, starts: Iterable[Start], dtype: str, steps: int, every: int, relative: Distances | None
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


def _judge_all(questions: Sequence[Question], arrays: Arrays) -> list[Errors]:
    """Compares losses and state for each of the questions. Raises `Wrong`."""
    each = 1 + len(questions[0].start)
    if len(arrays) != each * len(questions):
        raise Wrong(f"answers with {len(arrays)} arrays, expected {each * len(questions)}")
    return [judge(question, arrays[n * each : (n + 1) * each]) for n, question in enumerate(questions)]


def _arrays(problem: Problem) -> Arrays:
    """Data and state as a worker gets them."""
    return [*problem.data.values(), *problem.state.values()]


def _handed_out(problem: Problem, *further: NDArray[Any]) -> Reply:
    """A problem's arrays, further ones, and what a worker needs besides to build the problem again."""
    about = {
        "shape": list(problem.shape),
        "data": list(problem.data),
        "state": list(problem.state),
        "constants": dict(problem.constants),
    }
    return {"arrays": [*_arrays(problem), *further], "problem": about}


def _number(seed: str, number: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed} {number}".encode()).digest()[:16])
