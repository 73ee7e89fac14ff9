"""Allocates until it is told that there is no more."""

import numpy as np
from _late import Late


class EatsMemory(Late):
    def break_down(self):
        hoard = []
        while True:
            hoard.append(np.empty(1 << 30, np.uint8))
