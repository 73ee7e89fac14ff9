"""The yardstick of a whole step by hand: the default problem's in NumPy, float32, with a learning rate of zero.

It must never follow `backends/numpy_manual.py`: that may change, and this is what it is then compared with.
"""

import numpy as np

from backends.api import Control, Problem


class StepByHand(Control):
    kind = "yardstick"

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        fixed = Problem.random()
        self.x, self.y, self.a, self.b = (array.astype(np.float32) for array in (fixed.x, fixed.y, fixed.w1, fixed.w2))

    def step(self) -> float:
        h = self.x @ self.a
        h_relu = np.maximum(h, 0)
        error = h_relu @ self.b - self.y
        np.square(error).sum()
        grad_h = (2 * error) @ self.b.T * (h >= 0)
        self.b -= 0.0 * (h_relu.T @ (2 * error))
        self.a -= 0.0 * (self.x.T @ grad_h)
        return 0.0
