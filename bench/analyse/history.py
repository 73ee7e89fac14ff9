"""The stored runs of a machine, from which a comparison learns how much its runs differ."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import pandas as pd

from bench.analyse import reading
from bench.analyse.reading import Rows
from bench.analyse.validation import COLUMNS
from bench.errors import UsageError


def stored(machines: Iterable[str], results: str | Path) -> Rows | None:
    """The rows of `results/<machine>/*/summary.csv`, without the files that are damaged; None if there are none.

    Files that have not changed are read once a process.
    """
    files = sorted(file for machine in machines for file in (Path(results) / machine).glob(f"*/{reading.SUMMARY}"))
    return _read(tuple((file, file.stat().st_mtime_ns) for file in files)) if files else None


@lru_cache(maxsize=4)
def _read(files: tuple[tuple[Path, int], ...]) -> Rows | None:
    try:
        return reading.read([file for file, _ in files])
    except UsageError as error:
        return Rows(pd.DataFrame(columns=COLUMNS), [str(error)])
