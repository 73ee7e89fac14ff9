"""What a judge can be asked for: each method is a request, its arguments and its reply plain JSON values and arrays."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from backends.api import weights_dtype
from backends.reference import train
from bench.errors import Wrong
from bench.judge.proof import Errors
from bench.judge.questions import SHAPES, Arrays, Proof, Round, Turns, arrays, timed
from bench.schema.case import Case

Reply = dict[str, Any]


class Requests:
    """The questions of one run; `bench.measure` asks, and never while a step is timed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.nonce = ""
        self.proof: Proof | Turns | None = None
        self.rounds: dict[str, Round] = {}

    def problem(self, case: dict[str, Any]) -> Reply:
        """The data that is timed."""
        return {"arrays": arrays(timed(Case.from_json(case), self.seed))}

    def prove(self, case: dict[str, Any], steps_per_call: int, number: int) -> Reply:
        """The `number`-th problem of a proof, at the case's own shape first; its nonce, and the calls it asks for."""
        this = Case.from_json(case)
        if number == 0:
            self.nonce = secrets.token_hex(16)
        self.proof = Proof((this.shape, *SHAPES)[number], this.dtype, steps_per_call, self.nonce, f"proof {number}")
        return {"arrays": self.proof.given, "nonce": self.nonce, "calls": self.proof.calls}

    def turns(self, case: dict[str, Any], steps_per_call: int) -> Reply:
        """Two problems that a step takes turns with."""
        self.proof = Turns(Case.from_json(case).dtype, steps_per_call, self.nonce)
        return {"arrays": self.proof.given, "calls": self.proof.CALLS}

    def proven(self, arrays: Arrays) -> Reply:
        """Compares the answers to the latest `prove` or `turns`. Raises `Wrong`."""
        assert self.proof is not None
        return {"errors": _plain(self.proof.judge(arrays))}

    def draw(self, blocks: Sequence[Sequence[dict[str, Any]]]) -> Reply:
        """The rounds of some blocks, trained ahead; a nonce of each is for the journal, once the block is over."""
        nonces = []
        for rounds in blocks:
            nonces.append(secrets.token_hex(16))
            for each in rounds:
                case, name = Case.from_json(each["case"]), each["name"]
                self.rounds[name] = Round.draw(case, self.seed, nonces[-1], name, each["steps"], each["proven"])
        return {"nonces": nonces}

    def forget(self) -> Reply:
        """A pass is over: none of its rounds is asked for again."""
        self.rounds.clear()
        return {}

    def weights(self, name: str) -> Reply:
        """Where a round starts."""
        return {"arrays": self.rounds[name].given}

    def judged(self, name: str, every: int, arrays: Arrays) -> Reply:
        """Compares the losses and weights at the end of a round. Raises `Wrong`."""
        if len(arrays) != 3:
            raise Wrong(
                f"hands out {len(arrays)} arrays after a round, expected losses, w1 and w2"
            )
        losses, w1, w2 = arrays
        return {"errors": _plain(self.rounds[name].judge(losses, (w1, w2), every))}

    def losses(self, case: dict[str, Any], steps: int, every: int) -> Reply:
        """The timed problem's own weights, and every `every`-th loss of right steps from them."""
        this = Case.from_json(case)
        problem = timed(this, self.seed)
        weights = [w.astype(weights_dtype(this.dtype)) for w in (problem.w1, problem.w2)]
        return {"arrays": weights, "losses": train(problem, steps).losses[every - 1 :: every].tolist()}


def _plain(errors: Errors | None) -> Reply | None:
    return asdict(errors) if errors else None
