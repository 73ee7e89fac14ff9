"""The ceiling of arithmetic through NumPy's BLAS: one large square product, all in cache.

It must never do anything that is not counted in its floating-point operations.
"""

import numpy as np

from backends.api import Control, Problem

SIZE = 256


class GemmNumpy(Control):
    kind = "ceiling"

    @classmethod
    def work(cls, device: str, dtype: str) -> tuple[int, int]:
        return 2 * SIZE**3, 0

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        self.a = np.random.default_rng(0).standard_normal((SIZE, SIZE)).astype(dtype)
        self.b, self.c = self.a.T.copy(), np.empty_like(self.a)

    def step(self) -> float:
        np.matmul(self.a, self.b, out=self.c)
        return 0.0
