"""What it answers is valid up to the depth at which whoever reads it gives up."""

import os
import stat

from _right import Right


class NestedReply(Right):
    def step(self):
        for name in os.listdir("/proc/self/fd"):
            try:
                if stat.S_ISFIFO(os.fstat(int(name)).st_mode):
                    os.write(int(name), b"[" * 50_000 + b"\n")
            except OSError:
                pass
        return super().step()


CAUGHT = r"answers with something else than one reply|spoke without being asked"
