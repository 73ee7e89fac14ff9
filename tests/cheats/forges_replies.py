"""It answers for the harness: a reply is written to every pipe that the process holds (pygpubench: a forged result pipe)."""

import os
import stat

from _right import Right


class ForgesReplies(Right):
    calls = 0

    def step(self):
        self.calls += 1
        if self.calls == 40:
            for name in os.listdir("/proc/self/fd"):
                try:
                    if stat.S_ISFIFO(os.fstat(int(name)).st_mode):
                        os.write(int(name), b'{"status": "ok", "seconds": 1e-9, "queued": 1e-9, "faults": 0}\n')
                except OSError:
                    pass
        return super().step()


CAUGHT = r"answers with something else than one reply|spoke without being asked|answers with"
