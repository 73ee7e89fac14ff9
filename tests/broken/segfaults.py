"""Dies of a signal in its second round."""

import os
import signal

from _right import Right


class Segfaults(Right):
    def step(self):
        self.calls = getattr(self, "calls", 0) + 1
        if self.calls > 3 and self.x.shape == (64, 1000):
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().step()
