"""It does nothing, and replaces whatever compares (pygpubench #7)."""

from _right import Right

from bench.judge import proof, questions


class PatchedJudge(Right):
    def __init__(self, problem, device, dtype):
        super().__init__(problem, device, dtype)
        proof.compare = proof.judge = questions.Round.judge = lambda *_: proof.Errors(0.0, 0.0, 0.0)

    def update(self, grad_w1, grad_w2):
        pass


CAUGHT = r"never updates w1"
