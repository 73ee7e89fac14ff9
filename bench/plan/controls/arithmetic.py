"""The yardstick of arithmetic: the two large products of the default problem, in float32, through NumPy's BLAS.

It must never allocate, or it would measure memory traffic as well.
"""

import numpy as np

from backends.api import Control, Problem


class Arithmetic(Control):
    kind = "guard"

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        fixed = Problem.random()
        self.x, self.w = fixed.x.astype(np.float32), fixed.w1.astype(np.float32)
        self.h, self.grad_w = self.x @ self.w, np.empty_like(self.w)

    def step(self) -> float:
        np.matmul(self.x, self.w, out=self.h)  # (64, 100)
        np.matmul(self.x.T, self.h, out=self.grad_w)  # (1000, 100)
        return 0.0
