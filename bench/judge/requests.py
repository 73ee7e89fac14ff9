"""The process that knows the answers: `python -m bench.judge.requests SETUP`; it imports no backend.

It draws fresh problems and states from nonces that workers do not know. In every pass all questions are new, so that a step
that remembers answers fails; the cases of a pass, which are processes of their own, share them. Given its nonce, a question
can be drawn again.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.api import Problem, weights_dtype
from bench import conversation
from bench.conversation import Reply
from bench.errors import UsageError, Wrong
from bench.judge.checking import check, check_mistakes
from bench.judge.comparing import Distances, Question, worst
from bench.judge.diagnosis import diagnose
from bench.problem import NAME, Definition
from bench.region import Region
from bench.schema.records import ErrorsRecord

Arrays = Sequence[NDArray[Any]]
TRAJECTORY, TURNS = 10, "turns"
CALIBRATIONS = 3
"""Starts, and noisy runs of each, by which it is measured what may differ in timed rounds."""
ATTEMPTS = 100
"""Problems drawn at most until one step changes every array."""
PR_SET_DUMPABLE = 4  # <linux/prctl.h>


class Requests:
    """The judge of one run: of one problem folder, from the seed of its data.

    `bench.measure` asks by the names of methods, and never while a step is timed; `every` is the number
    of steps of a call.
    """

    def __init__(self, seed: int, problem: str) -> None:
        self.definition, self.seed = Definition.load(Path(problem)), seed
        self.nonce = secrets.token_hex(16)
        """Of the proofs of a pass."""
        self.questions: dict[str, list[Question]] = {}
        """Of this pass, by the name that goes with the answers: two of a proof or of turns, one of a round."""
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
        this, calls = (shape, *self.definition.small)[number], max(2, TRAJECTORY // every)
        if (name := f"proof {number} {this} {dtype} {every}") not in self.questions:
            seed = f"{self.nonce} proof {number}"
            known = [None if number else self.relative(this, dtype, n * every) for n in (1, calls)]
            first = self.question(seed, this, dtype, every, every, known[0])
            others = self.question(f"{seed}, others", this, dtype, calls * every, every, known[1], first.problem)
            others.earlier = first.start, every
            self.questions[name] = [first, others]
        first, others = self.questions[name]
        return _handed_out(first.problem, others.given) | {"name": name, "nonce": self.nonce, "calls": calls}

    def turns(self, shape: str, dtype: str, every: int) -> Reply:
        """Two small problems whose steps are taken in turns."""
        small, calls = self.definition.small[0], 3
        if (name := f"{TURNS} {dtype} {every}") not in self.questions:
            seeds = [f"{self.nonce} turn {n}" for n in range(2)]
            self.questions[name] = [self.question(seed, small, dtype, calls * every, every) for seed in seeds]
        one, other = (question.problem for question in self.questions[name])
        return _handed_out(one, [*other.data.values(), *other.state.values()]) | {"name": name, "calls": calls}

    def judged(self, name: str, arrays: Arrays) -> Reply:
        """Compares the answers to questions: losses and state of each. Raises `Wrong`."""
        questions = self.questions[name]
        each = 1 + len(questions[0].start)
        try:
            if len(arrays) != each * len(questions):
                raise Wrong(f"answers with {len(arrays)} arrays, expected {each * len(questions)}")
            errors = [judge(question, arrays[n * each : (n + 1) * each]) for n, question in enumerate(questions)]
        except Wrong:
            if name.startswith(TURNS):
                what = "shares state between two instances: each is right alone, and wrong when they take turns"
                raise Wrong(what) from None
            raise
        return {"errors": worst(errors)}

    def draw(self, blocks: Sequence[Sequence[dict[str, Any]]]) -> Reply:
        """The rounds of some blocks, and the nonce of each block for the journal."""
        nonces = [secrets.token_hex(16) for _ in blocks]
        for nonce, rounds in zip(nonces, blocks, strict=True):
            self.questions |= {each["name"]: [self.round(nonce, **each)] for each in rounds}
        return {"nonces": nonces}

    def forget(self) -> Reply:
        """A pass is over: nothing of it is asked again."""
        self.nonce = secrets.token_hex(16)
        self.questions.clear()
        return {}

    def start(self, name: str) -> Reply:
        """The state in which a round starts."""
        return {"arrays": self.questions[name][0].given}

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


def judge(question: Question, answers: Arrays) -> ErrorsRecord:
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


def _handed_out(problem: Problem, further: Arrays = ()) -> Reply:
    """A problem's arrays, further ones, and what a worker needs besides to build the problem again."""
    names = {"data": list(problem.data), "state": list(problem.state)}
    about = {"shape": list(problem.shape), **names, "constants": dict(problem.constants)}
    return {"arrays": [*problem.data.values(), *problem.state.values(), *further], "problem": about}


if __name__ == "__main__":
    setup = json.loads(sys.argv[1])
    conversation.end_with_parent()
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0)  # other processes of the user cannot read its memory
    streams = conversation.take_streams()
    region, requests = Region(setup["region"]), Requests(setup["seed"], setup["problem"])
    conversation.serve(lambda name: (getattr(requests, name), region), *streams)
