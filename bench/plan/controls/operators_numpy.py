"""What NumPy takes for an operator beside its work: a hundred on four numbers each.

It must never use arrays that take longer to compute than to ask for.
"""

import numpy as np

from backends.api import Control, Problem


class OperatorsNumpy(Control):
    kind = "overhead"

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        self.a, self.b = np.ones((2, 2), dtype), np.ones((2, 2), dtype)

    def step(self) -> float:
        a, b = self.a, self.b
        for _ in range(25):
            a @ b
            np.maximum(a, 0)
            a * b
            a - b
        return 0.0
