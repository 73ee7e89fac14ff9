"""The bound of memory traffic on one core of a CPU: reading the default problem's data and weights in float32 again and again.

It must never write, nor wait for a sum: whatever level of cache holds a step's data holds these, and reading is the fastest
that a core gets them. Several threads are bound by so many times this figure.
"""

import numba
import numpy as np
from numba.extending import is_jitted

from backends.api import Control, Problem

BYTES = 4 * (64 * 1000 + 64 * 10 + 1000 * 100 + 100 * 10)  # x, y, w1, w2
TIMES = 20  # in a step, which then takes about as long as the training step


class PeakTraffic(Control):
    kind = "peak"
    libraries = ("numba", "numpy")

    @classmethod
    def work(cls, device: str, dtype: str) -> tuple[int, int]:
        return 0, TIMES * BYTES

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        self.numbers = np.ones(BYTES // np.dtype(dtype).itemsize, dtype)

    def is_compiled(self) -> bool:
        return is_jitted(total)

    def step(self) -> float:
        return total(self.numbers, TIMES)


@numba.njit(cache=True, fastmath={"reassoc"})  # sums in any order, so in as many registers as LLVM likes
def total(numbers, times):
    result = numbers.dtype.type(0)
    for _ in range(times):
        for i in range(numbers.size):
            result += numbers[i]
    return result
