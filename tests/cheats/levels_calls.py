"""What is told of single calls is made up: each seems to take a tenth of what it takes."""

import sys

from _right import Right


class LevelsCalls(Right):
    def __init__(self, problem, device, dtype):
        super().__init__(problem, device, dtype)
        sys.modules["bench.worker.visits"]._between = lambda readings: [1e-5 for _ in readings[1:]]


CAUGHT = r"tells of 20 calls that take"
