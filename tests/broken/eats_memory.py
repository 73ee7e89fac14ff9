"""Allocates until it is told that there is no more."""

import numpy as np
from _right import Right


class EatsMemory(Right):
    def step(self):
        hoard = []
        while True:
            hoard.append(np.empty(1 << 30, np.uint8))
