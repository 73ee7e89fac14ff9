"""Reads result files of any kind into rows like those of `summary.csv`, and checks each row.

A file with a damaged row is named and left out; no value is changed or guessed.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from bench.analyse import summaries
from bench.errors import UsageError
from bench.record import journal
from bench.schema.case import CASE_COLUMNS, SIDE
from bench.schema.summary import CHECKS

SUMMARY = "summary.csv"
COLUMNS = [*CHECKS, "file"]
DIGITS = 11
"""Some time of a run has as many significant digits or more, at most 17; spreadsheets show 3 to 10."""
Row = dict[str, Any]


class Rows(NamedTuple):
    """What could be read: `table` has the columns `COLUMNS`, `left_out` one sentence for every file that could not."""

    table: pd.DataFrame
    left_out: list[str]


def read(paths: Sequence[str | Path]) -> Rows:
    """Reads runs' folders, their `summary.csv` and journals; gives each run a name that no other has.

    A damaged file is left out and named as long as another one can be used. Raises `UsageError` if none can.
    """
    files: list[Path] = []
    rows: list[Row] = []
    left_out: list[str] = []
    seen: set[tuple[Any, ...]] = set()
    for path in paths:
        try:
            files += _files(path)
        except UsageError as error:
            left_out.append(str(error))
    for file in files:
        try:
            rows += _rows(file, seen)
        except UsageError as error:
            left_out.append(str(error))
    if not rows:
        raise UsageError(left_out[0] if left_out else "no run is given; give a run's folder.")
    return Rows(pd.DataFrame(rows, columns=COLUMNS), left_out)


def stored(machines: Iterable[str], results: str | Path) -> Rows:
    """The rows of `results/<machine>/*/summary.csv`, without the files that are damaged."""
    files = sorted(file for machine in machines for file in (Path(results) / machine).glob(f"*/{SUMMARY}"))
    try:
        return read(files)
    except UsageError as error:
        return Rows(pd.DataFrame(columns=COLUMNS), [str(error)] if files else [])


def _files(given: str | Path) -> list[Path]:
    path = Path(given)
    if not str(given).strip():
        raise UsageError("an empty name stands where a run's folder or file should; is a variable unset, or a comma too many?")
    if not path.is_dir():
        return [path]
    folders = {file.parent for name in (SUMMARY, journal.NAME) for file in path.rglob(name)}
    if not folders:
        raise UsageError(f"{path}: holds no run, neither {SUMMARY} nor {journal.NAME}; give a run's folder, or one above it.")
    # tables are rebuilt from a journal only where a run was cut off before it could write them
    return [folder / (SUMMARY if (folder / SUMMARY).exists() else journal.NAME) for folder in sorted(folders)]


def _rows(file: Path, seen: set[tuple[Any, ...]]) -> list[Row]:
    """The rows of a file, whose cases are added to those that were `seen`. Raises `UsageError` if any row is damaged."""
    if file.suffix == ".jsonl":
        lines = [(str(file), fields) for fields in summaries.summarise(journal.read(file)).to_dict("records")]
    else:
        lines = _lines(file)
    rows: list[Row] = []
    keys: set[tuple[Any, ...]] = set()
    for place, fields in lines:
        row, what = _checked(fields)
        row |= {"file": str(file), "run": f"{row['machine']}/{row['run']}" if row["run"] else str(file)}
        key = tuple(row[name] for name in ("run", *CASE_COLUMNS, SIDE))
        if what or key in seen or key in keys:
            what = what or "holds a case of this run once more; a run has one row for each"
            raise UsageError(f"{place}: {what}; fix the line or leave the file out.")
        keys.add(key)
        rows.append(row)
    seen |= keys
    return rows


def _lines(file: Path) -> list[tuple[str, dict[Any, Any]]]:
    """The place and the fields of each row of a CSV file. Raises `UsageError` if it is none that a run wrote."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            names = next(reader, [])
            lines = [(reader.line_num, row) for row in reader if any(map(str.strip, row))]
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}; give a run's folder, or one of its files.") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: is no CSV in UTF-8: {error}; save it as that, or give the run's folder.") from None
    needed = (*CASE_COLUMNS, "seconds_per_step", "status") if names else ()
    if wrong := [name for name in CHECKS if names.count(name) > 1 or (name in needed and name not in names)]:
        raise UsageError(
            f"{file}:1: has {'two columns' if wrong[0] in names else 'no column'} {wrong[0]}, so it is no {SUMMARY} of a run "
            f"with commas between fields and points for decimals; it begins {','.join(names)[:60]!r}."
        )
    if not lines:
        raise UsageError(f"{file}: holds no row; give a finished run.")
    for line, row in lines:
        if len(row) < len(names) or any(row[len(names) :]):
            raise UsageError(f"{file}:{line}: has {len(row)} fields, its header {len(names)}; the file was cut off or damaged.")
    rows = [(f"{file}:{line}", dict(zip(names, row, strict=False))) for line, row in lines]
    for name in ("seconds_per_step", "undisturbed_seconds_per_step"):
        times = [(place, row[name]) for place, row in rows if row.get(name)]
        if times and all(len(re.sub(r"[eE].*|\D", "", time).strip("0")) < DIGITS for _, time in times):
            raise UsageError(
                f"{times[0][0]}: {name} is {times[0][1]!r}, and no row has all its digits; "
                "a spreadsheet or a script cut them, so give the file as the run wrote it."
            )
    return rows


def _checked(fields: Mapping[Any, Any]) -> tuple[Row, str]:
    """The values of the columns that are read, and what is wrong with the first damaged one, else empty."""
    row: Row = {}
    wrong = []
    for name, check in CHECKS.items():
        given = "" if pd.isna(fields.get(name)) else fields[name]
        try:
            row[name] = str(given) if check.kind is str else math.nan if given == "" else float(given)
        except (TypeError, ValueError):
            row[name] = -math.inf  # which no column may have
        if not check.holds(row[name]):
            wrong.append(f"{name} is {repr(str(given)) if given != '' else 'missing'}, expected {check.expected}")
        elif check.kind is int:
            row[name] = int(row[name])
    if row["status"] == "ok" and math.isnan(row["seconds_per_step"]):
        wrong.append("status is ok, so it needs a time, in seconds_per_step")
    return row, (wrong or [""])[0]
