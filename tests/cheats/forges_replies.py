"""Answers for the harness: a reply is written to every pipe (pygpubench: a forged result pipe)."""

import os
import stat
from contextlib import suppress

from tests.sabotaged._right import Right


def write_to_pipes(text: bytes) -> None:
    """To every pipe that the process holds: one of them is read by the harness."""
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            if stat.S_ISFIFO(os.fstat(int(name)).st_mode):
                os.write(int(name), text)


class ForgesReplies(Right):
    calls = 0

    def step(self):
        self.calls += 1
        if self.calls == 120:
            write_to_pipes(b'{"status": "ok", "seconds": 1e-9, "queued": 1e-9, "minor_faults": 0}\n')
        return super().step()
