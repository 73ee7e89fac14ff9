"""NaN compares as nobody expects: where a judge asks for a difference above a bound, it finds none (pygpubench #7)."""

import numpy as np
from _right import Right


class NothingButNan(Right):
    def step(self):
        return np.nan

    def get_state(self):
        return np.full_like(self.w1, np.nan), np.full_like(self.w2, np.nan)
