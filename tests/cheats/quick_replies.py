"""Saves what lies besides its steps: copies nothing and keeps its core from falling asleep."""

import os
import sys

from tests.sabotaged._right import Right

Region = sys.modules["bench.region"].Region


def views(region, layout):
    memory, np = region._memory, sys.modules["numpy"]
    return [
        np.frombuffer(memory, dtype, int(np.prod(shape)), place).reshape(shape)
        for dtype, shape, place in region._places(layout)
    ]


class QuickReplies(Right):
    handed_out = 0

    def __init__(self, problem, device, dtype):
        super().__init__(problem, device, dtype)
        if Region.read is not views:
            Region.read = views
            if not os.fork():
                os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
                while True:
                    pass

    def get_state(self):
        self.handed_out += 1
        return (self.w1, self.w2) if self.handed_out > 6 else super().get_state()
