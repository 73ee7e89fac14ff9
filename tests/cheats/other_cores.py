"""Part of the work is a child's on a core that the row was not given; here it only spins, until its parent ends it."""

import os
import signal

from _right import Right


class OtherCores(Right):
    def __init__(self, problem, device, dtype):
        super().__init__(problem, device, dtype)
        if not (child := os.fork()):
            os.sched_setaffinity(0, range(os.cpu_count()))
            signal.alarm(60)
            while True:
                pass
        self.child = child

    def __del__(self):
        os.kill(self.child, signal.SIGKILL)


CAUGHT = r"computes on \d+(\.\d+)? cores, asked for 1"
