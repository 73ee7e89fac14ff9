"""The yardstick of memory traffic: element-wise work over arrays of 400 KB, the size of the default problem's gradients.

It must never fit into one core's first-level cache, nor compute more than it loads.
"""

import numpy as np

from backends.api import Control, Problem


class Traffic(Control):
    kind = "yardstick"

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        self.a, self.b, self.c = (np.full((1000, 100), value, np.float32) for value in (1, 2, 3))

    def step(self) -> float:
        for _ in range(3):
            np.multiply(self.a, 0.5, out=self.b)
            np.subtract(self.c, self.b, out=self.a)
            np.multiply(self.a, 0.25, out=self.c)
        return 0.0
