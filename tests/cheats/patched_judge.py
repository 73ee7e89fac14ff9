"""Does nothing, and replaces the comparison (pygpubench #7)."""

from bench.judge import comparing
from tests.sabotaged._right import Right


class PatchedJudge(Right):
    def __init__(self, problem, device, dtype):
        super().__init__(problem, device, dtype)
        comparing.Question.compare = lambda *_: {"share": 0.0, "arrays": {}, "noisy_runs": 0}

    def update(self, grad_w1, grad_w2):
        pass
