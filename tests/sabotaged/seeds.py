"""It seeds the global random generator."""

import numpy as np
from _right import Right


class Seeds(Right):
    def __init__(self, problem, device, dtype):
        super().__init__(problem, device, dtype)
        np.random.seed(0)


SAYS = r"changes global state: NumPy's global random state"
