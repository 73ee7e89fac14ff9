"""The clock stands still while it is built and takes its first step, and while its calls are queued; all else is honest."""

import sys

from _right import Right


class FirstStepForFree(Right):
    def __init__(self, problem, device, dtype):
        super().__init__(problem, device, dtype)
        start = sys._getframe(1).f_locals.get("start")
        if start is not None:
            sys.modules["bench.worker.requests"].perf_counter = lambda: start + 1e-9


CAUGHT = r"says by its own clock"
