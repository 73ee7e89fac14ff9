"""Lets the runs of one machine see each other, because two at once spoil both.

No run is stopped or delayed: it tells, and the run warns.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

SUFFIX = ".run"


@contextmanager
def shown() -> Iterator[Callable[[], int]]:
    """Shows other runs on this machine that this one measures, and yields a function that counts the others."""
    folder = Path(tempfile.gettempdir()) / f"stepbench-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    name = uuid4().hex  # process ids repeat in containers that share the folder
    with (folder / name).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        mine = Path(file.name).rename(folder / f"{name}{SUFFIX}")  # never seen without its lock
        try:
            yield lambda: sum(_is_held(path) for path in folder.glob(f"*{SUFFIX}") if path != mine)
        finally:
            mine.unlink(missing_ok=True)


def _is_held(path: Path) -> bool:
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    path.unlink(missing_ok=True)  # left behind by a run that was killed
    return False
