"""It sets a thread count for everybody after it."""

import os

from _right import Right


class SetsEnvironment(Right):
    def __init__(self, problem, device, dtype):
        super().__init__(problem, device, dtype)
        os.environ["OMP_NUM_THREADS"] = str(1 + int(os.environ["OMP_NUM_THREADS"]))


SAYS = r"changes global state: the environment variables"
