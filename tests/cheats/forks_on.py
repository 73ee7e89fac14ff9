"""Each child forks the next one and ends, so that a walk over the processes finds none to stop."""

import os

from tests.sabotaged._right import Right


class ForksOn(Right):
    def set_state(self, w1, w2):
        super().set_state(w1, w2)
        if not os.fork():
            while True:
                os.setsid()
                sum(range(10_000))  # on the core on which the baseline is timed
                if os.fork():
                    os._exit(0)
