"""A second thread of its library on another core, given back before anybody counts."""

import os

import threadpoolctl
from _right import Right


class BorrowedThreads(Right):
    def __init__(self, problem, device, dtype):
        super().__init__(problem, device, dtype)
        self.pools = threadpoolctl.ThreadpoolController()

    def step(self):
        own = os.sched_getaffinity(0)
        with self.pools.limit(limits=2):
            for thread in os.listdir("/proc/self/task"):
                os.sched_setaffinity(int(thread), range(os.cpu_count()))
            loss = super().step()
        for thread in os.listdir("/proc/self/task"):
            os.sched_setaffinity(int(thread), own)
        return loss


CAUGHT = r"computes on 1\.\d+ cores, asked for 1"
