"""Each child forks the next one and ends, so that a walk over the processes finds none to stop."""

import os

from _right import Right


class ForksOn(Right):
    started = False

    def step(self):
        if not ForksOn.started:
            ForksOn.started = True
            if not os.fork():
                while True:
                    os.setsid()
                    sum(range(10_000))  # on the core on which the baseline is timed
                    if os.fork():
                        os._exit(0)
        return super().step()
