"""It looks at the stack and works only where nobody times it (SOL-ExecBench; AUTO mode of many harnesses)."""

import sys

from _right import Right


class SeesTheClock(Right):
    def step(self):
        if sys._getframe(1).f_code.co_name == "throughput":
            return 0.0
        return super().step()


CAUGHT = r"never updates w1"
