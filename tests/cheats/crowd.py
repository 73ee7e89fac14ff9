"""Children that leave their group and stay, to run while others are timed. They are ended with every suspension."""

import os
import signal

from _right import Right


class Crowd(Right):
    started = 0

    def step(self):
        if Crowd.started < 5:
            Crowd.started += 1
            if not os.fork():
                os.setsid()
                signal.alarm(60)
                while True:
                    signal.pause()
        return super().step()


CAUGHT = None
