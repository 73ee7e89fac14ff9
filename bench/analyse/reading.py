"""Reads result files of any kind into rows like those of `summary.csv`.

A damaged file is named and left out; no number is guessed.
"""

from __future__ import annotations

import csv
import itertools
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.analyse import summaries
from bench.analyse.validation import COLUMNS, EXPECTED, TEXTS, checked
from bench.errors import UsageError
from bench.record import journal
from bench.schema.case import CASE_COLUMNS

SUMMARY = "summary.csv"
MAX_BYTES = 400_000_000
"""Far above any report of a run; a larger file is not read."""
DIGITS = 11
"""Some time of a run has as many significant digits or more, at most 17; spreadsheets show 3 to 10."""


Columns = dict[str, list[Any]]
"""Column → its values, one a row."""


@dataclass
class Rows:
    """What could be read: `table` has the columns `COLUMNS`, `left_out` one sentence for every file that could not."""

    table: pd.DataFrame
    left_out: list[str] = field(default_factory=list)


def read(paths: Sequence[str | Path]) -> Rows:
    """Reads runs' folders, their `summary.csv` and journals.

    A damaged file is left out and named as long as another one can be used. Raises `UsageError` if none can.
    """
    tables: list[tuple[str, Columns]] = []
    left_out = []
    for path in paths:
        try:
            files = _files(path)
        except UsageError as error:
            files = []
            left_out.append(str(error))
        for file in files:
            try:
                tables.append((str(file), _read_file(file)))
            except UsageError as error:
                left_out.append(str(error))
    rows = pd.DataFrame()
    if tables:
        rows, damaged = checked(_named(tables))
        left_out += damaged
    if rows.empty:
        raise UsageError(left_out[0] if left_out else f"{', '.join(map(str, paths))}: holds no row; give a finished run.")
    return Rows(rows, left_out)


def stored(machines: Iterable[str], results: str | Path) -> Rows | None:
    """The rows of `results/<machine>/*/summary.csv`, without the files that are damaged; None if there are none.

    Files that have not changed are read once a process.
    """
    files = sorted(file for machine in machines for file in (Path(results) / machine).glob(f"*/{SUMMARY}"))
    return _stored(tuple((file, file.stat().st_mtime_ns) for file in files)) if files else None


@lru_cache(maxsize=4)
def _stored(files: tuple[tuple[Path, int], ...]) -> Rows | None:
    try:
        return read([file for file, _ in files])
    except UsageError as error:
        return Rows(pd.DataFrame(columns=COLUMNS), [str(error)])


def _files(given: str | Path) -> list[Path]:
    path = Path(given)
    if not str(given).strip():
        raise UsageError("an empty name stands where a run's folder or file should; is a variable unset, or a comma too many?")
    if not path.exists():
        raise UsageError(f"{path}: does not exist; give a run's folder, or one of its files.")
    if not path.is_dir():
        return [path]
    folders = {file.parent for name in (SUMMARY, journal.NAME) for file in path.rglob(name)}
    if not folders:
        raise UsageError(f"{path}: holds no run, neither {SUMMARY} nor {journal.NAME}; give a run's folder, or one above it.")
    # tables are rebuilt from a journal only where a run was cut off before it could write them
    return [folder / (SUMMARY if (folder / SUMMARY).exists() else journal.NAME) for folder in sorted(folders)]


def _read_file(file: Path) -> Columns:
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            head = stream.read(4096)
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}.") from None
    if not head.strip():
        raise UsageError(f"{file}: is empty; give a finished run.")
    if size > MAX_BYTES:
        raise UsageError(f"{file}: has {size / 1e6:.0f} MB, more than any report of a run; give a run's {SUMMARY}.")
    if b"\0" in head or head[:2] == b"\x1f\x8b":
        raise UsageError(f"{file}:1: is a binary file, not text; unpack it, or give a run's {SUMMARY}.")
    if file.suffix != ".jsonl":
        return _csv(file)
    return {str(name): column.to_list() for name, column in summaries.summarise(journal.read(file)).items()}


def _named(tables: Sequence[tuple[str, Columns]]) -> pd.DataFrame:
    """The rows of all files, with all columns that a comparison needs, and for each run a name that no other has."""
    counts = [len(table["status"]) for _, table in tables]
    found: dict[str, Any] = {"file": np.repeat(np.array([file for file, _ in tables], dtype=object), counts)}
    for name in (*COLUMNS, "line"):
        if name not in found:
            values = [table.get(name, [None] * count) for (_, table), count in zip(tables, counts, strict=True)]
            found[name] = np.array([*itertools.chain.from_iterable(values)], dtype=object)
    table = pd.DataFrame(found)
    machine, run = (table[name].fillna("") for name in ("machine", "run"))
    return table.assign(run=(machine + "/" + run).where(run != "", table["file"]))


def _check_header(file: Path, names: list[str], wanted: set[str]) -> None:
    first = ",".join(names)
    for mark, plural in ((";", "semicolons"), ("\t", "tabs")):
        if mark in first:
            raise UsageError(f"{file}:1: is separated by {plural}; save it with commas, and with points for decimals.")
    if missing := [name for name in (*CASE_COLUMNS, "seconds_per_step", "status") if name not in names]:
        raise UsageError(f"{file}:1: has no column {missing[0]}, so it is no {SUMMARY} of a run; it begins {first[:60]!r}.")
    if "mode" in names:
        raise UsageError(f"{file}:1: holds single rounds; give the {SUMMARY} beside it.")
    if repeated := [name for name in names if name in wanted and names.count(name) > 1]:
        raise UsageError(f"{file}:1: names the column {repeated[0]} twice; keep one of them.")


def _csv(file: Path) -> Columns:
    """The fields that a comparison needs of every line below the header that has any, and its number as `line`."""
    wanted = {*EXPECTED, *TEXTS}
    rows: list[list[Any]] = []
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream, strict=True)
        try:
            names = next(reader, [])
            _check_header(file, names, wanted)
            for row in reader:
                if not any(map(str.strip, row)):
                    continue
                while len(row) > len(names) and not row[-1]:
                    row.pop()
                if len(row) != len(names):
                    few = "fewer" if len(row) < len(names) else "more"
                    raise UsageError(
                        f"{file}:{reader.line_num}: has {few} fields than its header; the file is damaged or was cut off."
                    )
                rows.append([*map(sys.intern, row), reader.line_num])  # most of what a thousand files say is the same
        except csv.Error as error:
            raise UsageError(f"{file}:{reader.line_num}: is no CSV: {error}; the file is damaged or was cut off.") from None
        except UnicodeDecodeError:
            raise UsageError(f"{file}: is not UTF-8 text; save it as UTF-8, or give the run's folder.") from None
    if not rows:
        raise UsageError(f"{file}: has a header and no row; give a finished run.")
    _refuse_cut(file, names, rows)
    kept = [(place, name) for place, name in enumerate([*names, "line"]) if name in {*wanted, "line"}]
    return {name: [row[place] for row in rows] for place, name in kept}


def _refuse_cut(file: Path, names: list[str], rows: list[list[Any]]) -> None:
    """Refuses times without the digits that a run writes, as spreadsheets save what they display."""
    for name in ("seconds_per_step", "undisturbed_seconds_per_step"):
        if name not in names:
            continue
        times = [(row[-1], row[names.index(name)]) for row in rows if row[names.index(name)]]
        if times and all(len(re.sub(r"[eE].*|\D", "", time).strip("0")) < DIGITS for _, time in times):
            line, time = times[0]
            raise UsageError(
                f"{file}:{line}: {name} is {time!r}, and no row has all its digits; "
                "a spreadsheet or a script cut them, so give the file as the run wrote it."
            )
