"""What torch takes for an operator beside its work: a hundred on four numbers each, without gradients.

It must never use tensors that take longer to compute than to ask for.
"""

import torch

from backends.api import Control, Problem


class OperatorsTorch(Control):
    kind = "overhead"
    libraries = ("torch",)

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        self.a, self.b = torch.ones(2, 2), torch.ones(2, 2)

    def step(self) -> float:
        a, b = self.a, self.b
        for _ in range(25):
            torch.mm(a, b)
            torch.clamp_min(a, 0)
            torch.mul(a, b)
            torch.sub(a, b)
        return 0.0
