"""It hands out memory as it comes: another's answer may still be in it (KernelBench #82)."""

import numpy as np
from _right import Right


class StaleMemory(Right):
    def step(self):
        return 0.0

    def get_state(self):
        return np.empty_like(self.w1), np.empty_like(self.w2)
