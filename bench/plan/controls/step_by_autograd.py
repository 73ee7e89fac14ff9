"""The yardstick of a whole step by autograd: the default problem's in torch, float32, with a learning rate of zero.

It must never follow `backends/torch_autograd.py`: that may change, and this is what it is then compared with.
"""

import numpy as np
import torch

from backends.api import Control, Problem


class StepByAutograd(Control):
    kind = "yardstick"
    libraries = ("torch",)

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        fixed = Problem.random()
        arrays = (fixed.x, fixed.y, fixed.w1, fixed.w2)
        self.x, self.y, self.a, self.b = (torch.from_numpy(array.astype(np.float32)) for array in arrays)
        self.a.requires_grad_()
        self.b.requires_grad_()

    def step(self) -> float:
        (((self.x @ self.a).clamp(min=0) @ self.b - self.y) ** 2).sum().backward()
        with torch.no_grad():
            for w in (self.a, self.b):
                w -= 0.0 * w.grad
                w.grad = None
        return 0.0
