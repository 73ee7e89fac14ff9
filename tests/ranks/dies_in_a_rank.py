"""The second rank dies while the first waits for it."""

import os
import signal

from _right import RANK, Right


class DiesInARank(Right):
    def reduced(self, *grads):
        if RANK:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().reduced(*grads)

SAYS = r"rank 1: its process died of SIGKILL"
