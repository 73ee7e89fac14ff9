"""The requests of a judge, which draws fresh problems and states from nonces that workers do not know.

In every pass all questions are new, so that a step that remembers answers fails; the cases of a pass,
which are processes of their own, share them. Given its nonce, a question can be drawn again.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import asdict
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
from bench.problem import NAME, Definition

Arrays = Sequence[NDArray[Any]]
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
        self.nonce = secrets.token_hex(16)
        """Of the proofs of a pass."""
        self.asked: list[Question] = []
        """Of the latest proof or turns."""
        self.proofs: dict[tuple[Any, ...], list[Question]] = {}
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
        this, seed = (shape, *self.definition.small)[number], f"{self.nonce} proof {number}"
        calls = max(2, TRAJECTORY // every)
        if (key := (this, dtype, every, number)) not in self.proofs:
            known = [None if number else self.relative(this, dtype, n * every) for n in (1, calls)]
            first = self.question(seed, this, dtype, every, every, known[0])
            others = self.question(f"{seed}, others", this, dtype, calls * every, every, known[1], first.problem)
            others.earlier = first.start, every
            self.proofs[key] = [first, others]
        first, others = self.asked = self.proofs[key]
        return _handed_out(first.problem, *others.given) | {"nonce": self.nonce, "calls": calls}

    def turns(self, shape: str, dtype: str, every: int, calls: int = 3) -> Reply:
        """Two small problems whose steps are taken in turns."""
        small, steps, seeds = self.definition.small[0], calls * every, [f"{self.nonce} turn {n}" for n in range(2)]
        if (key := ("turns", dtype, every)) not in self.proofs:
            self.proofs[key] = [self.question(seed, small, dtype, steps, every) for seed in seeds]
        self.asked = self.proofs[key]
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
        """A pass is over: nothing of it is asked again."""
        self.nonce = secrets.token_hex(16)
        self.proofs.clear()
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
        known = self.relative(shape, dtype, steps) if proven else None
        return self.question(f"{nonce} {name}", shape, dtype, steps, every, known, problem, proven)

    def relative(self, shape: str, dtype: str, steps: int) -> Distances:
        """What may differ after so many steps, relative to the right updates, measured once."""
        key = shape, dtype, steps
        if key not in self._relative:
            asked = [self.question(f"calibration {number}", shape, dtype, steps, steps) for number in range(CALIBRATIONS)]
            each = [one.relative_allowed(CALIBRATIONS) for one in asked]
            self._relative[key] = {name: median(one[name] for one in each) for name in each[0]}
        return self._relative[key]

    def question(
        self, seed: str, shape: str, dtype: str, steps: int, every: int, relative: Distances | None = None,
        problem: Problem | None = None, moving: bool = True,
    ) -> Question:  # fmt: skip
        """Some steps on a fresh problem from its own state, or on this problem from another state; if
        `moving` the first that change every array of the state."""
        for attempt in range(ATTEMPTS):
            number = int.from_bytes(hashlib.sha256(f"{seed} {attempt}".encode()).digest()[:16])
            this = problem or self.definition.draw(shape, dtype, number)
            start = self.definition.draw_state(shape, dtype, number) if problem else tuple(this.state.values())
            question = Question(self.definition, this, dtype, start, steps, every, relative)
            if not moving or question.moves():
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
