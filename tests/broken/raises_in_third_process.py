"""Raises in the third process that it is built in, counted in the folder BROKEN_COUNT."""

import os
import tempfile
from pathlib import Path

from _late import Late

folder = Path(os.environ.get("BROKEN_COUNT", tempfile.gettempdir()))


class RaisesInThirdProcess(Late):
    def break_down(self):
        (folder / str(os.getpid())).touch()
        if len(list(folder.iterdir())) == 3:
            raise RuntimeError("the third process")
