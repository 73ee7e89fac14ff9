"""NaN everywhere: no difference to it is above a bound (pygpubench #7)."""

import numpy as np

from tests.sabotaged._right import Right


class NothingButNan(Right):
    def step(self):
        return np.nan

    def get_state(self):
        return np.full_like(self.w1, np.nan), np.full_like(self.w2, np.nan)
