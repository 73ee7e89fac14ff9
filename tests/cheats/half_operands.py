"""The data is rounded to 16 bits where float32 is promised."""

import numpy as np
from _right import Right


class HalfOperands(Right):
    dtypes = ("float32",)

    def __init__(self, problem, device, dtype):
        super().__init__(problem, device, dtype)
        self.x = self.x.astype(np.float16).astype(dtype)
