"""A correct step that is slower than the original by a known share."""

from itertools import repeat
from statistics import median
from time import perf_counter

from backends import torch_manual
from backends.api import Problem


class Slowed(torch_manual.TorchManual):
    """Runs an empty loop after each step of `torch_manual`, long enough to take `percent` of its time."""

    kind = "slowed"
    percent: float

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        whole = super().step
        a_step = median(_seconds(whole) for _ in range(60))
        a_turn = median(_seconds(lambda: _turn(1000)) for _ in range(60)) / 1000
        self.turns = round(self.percent / 100 * a_step / a_turn)
        self.set_state(problem.w1, problem.w2)

    def step(self):
        loss = super().step()
        _turn(self.turns)
        return loss


def _turn(turns: int) -> None:
    for _ in repeat(None, turns):
        pass


def _seconds(call) -> float:
    start = perf_counter()
    call()
    return perf_counter() - start
