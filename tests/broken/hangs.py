"""Never comes back."""

import time

from _right import Right


class Hangs(Right):
    def step(self):
        time.sleep(3600)
