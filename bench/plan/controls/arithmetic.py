"""The guard: two large products in float32 through NumPy's BLAS, into memory that is kept.

If it takes another time in another run, the machine's clock has changed. Its work is fixed: stored
runs are compared by it.
"""

import numpy as np

from backends.api import Control, Problem


class Arithmetic(Control):
    kind = "guard"

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        normal = np.random.default_rng(0).standard_normal
        self.x, self.w = (normal(s).astype(np.float32) for s in ((64, 1000), (1000, 100)))
        self.h, self.grad_w = self.x @ self.w, np.empty_like(self.w)

    def step(self) -> float:
        np.matmul(self.x, self.w, out=self.h)  # (64, 100)
        np.matmul(self.x.T, self.h, out=self.grad_w)  # (1000, 100)
        return 0.0
