"""Fails in the fifth process that it is built in, counted in the folder BROKEN_COUNT."""

import os
import tempfile
from pathlib import Path

from _right import Right

folder = Path(os.environ.get("BROKEN_COUNT", tempfile.gettempdir()))


class FailsInFifthProcess(Right):
    def step(self):
        (folder / str(os.getpid())).touch()
        if len(list(folder.iterdir())) == 5:
            raise RuntimeError("the fifth process")
        return super().step()
