"""Its child's child leaves its process group and its parent."""

import os
import signal

from _right import Right


class LeavesItsTree(Right):
    started = False

    def step(self):
        if not LeavesItsTree.started:
            LeavesItsTree.started = True
            if not (child := os.fork()):
                if not os.fork():
                    os.setsid()
                    signal.alarm(60)
                    while True:
                        signal.pause()
                os._exit(0)
            os.waitpid(child, 0)
        return super().step()
