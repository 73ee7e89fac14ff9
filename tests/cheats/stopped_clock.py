"""Its clock stands still (terminal-bench #1010: a wait that was a no-op, 84 times as fast)."""

import sys
from itertools import count

from _right import Right

ticks = count()


class StoppedClock(Right):
    def __init__(self, problem, device, dtype):
        super().__init__(problem, device, dtype)
        sys.modules["bench.worker.timing"].perf_counter = lambda: next(ticks) * 1e-6


CAUGHT = r"says by its own clock that a step takes .*, from outside it takes"
