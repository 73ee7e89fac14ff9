"""Its clock runs at half speed, and the worker's with it (GPU MODE reference-kernels #162)."""

import sys
import time

from tests.sabotaged._right import Right

real = time.perf_counter


class SlowClock(Right):
    def __init__(self, problem, device, dtype):
        super().__init__(problem, device, dtype)
        time.perf_counter = sys.modules["bench.worker.timing"].perf_counter = lambda: real() / 2
