"""The yardstick of dispatch: tiny torch operations with a backward pass, all overhead and no arithmetic.

It must never touch more data than a few cache lines.
"""

import torch

from backends.api import Control, Problem


class Dispatch(Control):
    kind = "yardstick"
    libraries = ("torch",)

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        self.x, self.w = torch.ones(2, 2), torch.ones(2, 2, requires_grad=True)

    def step(self) -> float:
        for _ in range(4):
            ((self.x @ self.w).clamp(min=0) @ self.x).sum().backward()
            with torch.no_grad():
                self.w -= 0.0 * self.w.grad
                self.w.grad.zero_()
        return 0.0
