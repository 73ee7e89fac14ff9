"""Slows NumPy's own function for all that use it later (pygpubench: the rival's warm-up)."""

import time

import numpy as np

from tests.sabotaged._right import Right

maximum = np.maximum


class Slow:
    def __call__(self, *arguments, **options):
        time.sleep(0.01)
        return maximum(*arguments, **options)

    def __getattr__(self, name):
        return getattr(maximum, name)


class SlowsRivals(Right):
    def forward(self):
        np.maximum = Slow()
        h = self.x @ self.w1
        h_relu = maximum(h, 0)
        return h, h_relu, h_relu @ self.w2
