"""The requests of a judge: each method is one; it takes and returns JSON values and arrays."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from backends.api import weights_dtype
from bench.errors import Wrong
from bench.judge.comparing import Question
from bench.judge.questions import Arrays, Questions, about, arrays, judge, split
from bench.problem import Definition
from bench.schema.case import Case

Reply = dict[str, Any]


class Requests:
    """The questions of one run; `bench.measure` asks, and never while a step is timed."""

    def __init__(self, seed: int, problem: str) -> None:
        self.definition = Definition.load(Path(problem))
        self.questions = Questions(self.definition, seed)
        self.nonce = ""
        self.asked: list[Question] = []
        """Of the latest proof or turns."""
        self.rounds: dict[str, Question] = {}

    def problem(self, case: dict[str, Any]) -> Reply:
        """The problem that is timed, and the number of problems of a whole proof."""
        this = Case.from_json(case)
        problem = self.questions.timed_problem(this.shape, this.dtype)
        return {"arrays": arrays(problem), "problem": about(problem), "proofs": 1 + len(self.definition.small)}

    def prove(self, case: dict[str, Any], steps_per_call: int, number: int) -> Reply:
        """The `number`-th problem of a proof, at the case's own shape first; its nonce and calls."""
        this = Case.from_json(case)
        if number == 0:
            self.nonce = secrets.token_hex(16)
        shape, seed = (this.shape, *self.definition.small)[number], (self.nonce, f"proof {number}")
        timed = number == 0
        self.asked = self.questions.proof(shape, this.dtype, steps_per_call, seed, timed)
        first, others = self.asked
        return {
            "arrays": [*arrays(first.problem), *others.given],
            "problem": about(first.problem),
            "nonce": self.nonce,
            "calls": others.steps // steps_per_call,
        }

    def turns(self, case: dict[str, Any], steps_per_call: int, calls: int = 3) -> Reply:
        """Two problems whose steps are taken in turns."""
        dtype, shape = Case.from_json(case).dtype, self.definition.small[0]
        steps = calls * steps_per_call
        self.asked = [
            self.questions.fresh(shape, dtype, steps, steps_per_call, (self.nonce, f"turn {n}"))
            for n in range(2)
        ]
        given = [array for question in self.asked for array in arrays(question.problem)]
        return {"arrays": given, "problem": about(self.asked[0].problem), "calls": calls}

    def proven(self, arrays: Arrays) -> Reply:
        """Compares the answers to the latest `prove`. Raises `Wrong`."""
        pairs = zip(self.asked, split(arrays, self.asked), strict=True)
        first, others = (judge(question, answers) for question, answers in pairs)
        return {"errors": asdict(first.worst(others))}

    def took_turns(self, arrays: Arrays) -> Reply:
        """Compares the answers to the latest `turns`. Raises `Wrong`."""
        pairs = zip(self.asked, split(arrays, self.asked), strict=True)
        try:
            for question, answers in pairs:
                judge(question, answers)
        except Wrong:
            raise Wrong(
                "shares state between two instances: each is right alone, and wrong when they "
                "take turns"
            ) from None
        return {}

    def draw(self, blocks: Sequence[Sequence[dict[str, Any]]]) -> Reply:
        """The rounds of some blocks, and the nonce of each block for the journal."""
        nonces = []
        for rounds in blocks:
            nonces.append(secrets.token_hex(16))
            for each in rounds:
                case, name = Case.from_json(each["case"]), each["name"]
                about = {field: each[field] for field in ("steps", "every", "proven")}
                seed = nonces[-1], name
                question = self.questions.round(case.shape, case.dtype, seed=seed, **about)
                self.rounds[name] = question
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
        question = self.rounds[name]
        (answers,) = split(arrays, [question])
        return {"errors": asdict(judge(question, answers))}

    def losses(self, case: dict[str, Any], steps: int, every: int) -> Reply:
        """The timed problem's own state, and every `every`-th loss of right steps from it."""
        this = Case.from_json(case)
        problem = self.questions.timed_problem(this.shape, this.dtype)
        state = tuple(problem.state.values())
        run = self.definition.run(problem, state, steps)
        given = [array.astype(weights_dtype(this.dtype)) for array in state]
        return {"arrays": given, "losses": run.losses[every - 1 :: every].tolist()}
