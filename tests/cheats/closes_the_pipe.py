"""Closes every descriptor of its process, those of the harness included."""

import os

from tests.sabotaged._right import Right


class ClosesThePipe(Right):
    def step(self):
        os.closerange(3, 256)
        return super().step()
