"""Reads result files of any kind into rows like those of `summary.csv`, and checks each row.

A file with a damaged row is named and left out; no value is changed or guessed.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from bench.analyse import summaries
from bench.errors import UsageError
from bench.record import journal
from bench.schema.case import CASE_COLUMNS, SIDE
from bench.schema.summary import CHECKS

SUMMARY = "summary.csv"
STATUSES = ("ok", "wrong", "failed", "unavailable", "incomplete")


def _like(pattern: str) -> Callable[[pd.Series], pd.Series]:
    return lambda texts: texts.map(lambda text: re.fullmatch(pattern, text) is not None)


RULES: dict[str, tuple[str, type, Callable[[pd.Series], pd.Series]]] = {
    "name": ("a name", str, lambda texts: texts != ""),
    "status": (f"one of {', '.join(STATUSES)}", str, lambda texts: texts.isin(STATUSES)),
    "count": ("a whole number of at least 1", int, lambda n: n.between(1, 2**53) & (n % 1 == 0)),
    "time": ("a number between 1e-12 and 1e9, with a decimal point", float, lambda n: n.isna() | ((n > 1e-12) & (n < 1e9))),
    "end": ("a number above 0, with a decimal point", float, lambda n: n.isna() | ((n > 0) & (n < math.inf))),
    "amount": ("a number of at least 0, with a decimal point", float, lambda n: n.isna() | (n >= 0)),
    "text": ("a text", str, lambda texts: texts.notna()),
    "machine": ("a machine's name of letters, digits, dots, pluses and dashes", str, _like(r"[\w.+-]{0,200}")),
    "version": ("a version such as 3.11.7", str, _like(r"([1-9]\.\d{1,2}\.\d{1,2}(\D.*)?)?")),
    "hash": ("a hash of letters and digits", str, _like(r"\w*")),
}
"""Check of a column → what its values have to be, their type, and which of a column are so."""
COLUMNS = [*CHECKS, "file"]
DIGITS = 11
"""Some time of a run has as many significant digits or more, at most 17; spreadsheets show 3 to 10."""
Row = dict[Any, Any]
"""A file's values by their columns, with `file` and `place`, the file and the line; a journal's rows stand in no line."""
Faults = Iterator[tuple[int, str]]
"""A row's label in the index, and what is wrong there."""


@dataclass
class Rows:
    """What could be read: `table` has the columns `COLUMNS`, `left_out` one sentence for every file that could not."""

    table: pd.DataFrame
    left_out: list[str] = field(default_factory=list)


def read(paths: Sequence[str | Path]) -> Rows:
    """Reads runs' folders, their `summary.csv` and journals; gives each run a name that no other has.

    A damaged file is left out and named as long as another one can be used. Raises `UsageError` if none can.
    """
    left_out: list[str] = []

    def usable(function: Callable[[Any], list[Any]], given: str | Path) -> list[Any]:
        try:
            return function(given)
        except UsageError as error:
            left_out.append(str(error))
            return []

    files = [file for path in paths for file in usable(_files, path)]
    rows = pd.DataFrame([row for file in files for row in usable(_rows, file)], columns=[*COLUMNS, "place"], dtype=object)
    machine, run = (rows[name].fillna("") for name in ("machine", "run"))
    table, damaged = _checked(rows.assign(run=(machine + "/" + run).where(run != "", rows["file"])))
    left_out += damaged
    if table.empty:
        raise UsageError(left_out[0] if left_out else f"{', '.join(map(str, paths))}: holds no row; give a finished run.")
    return Rows(table, left_out)


def stored(machines: Iterable[str], results: str | Path) -> Rows:
    """The rows of `results/<machine>/*/summary.csv`, without the files that are damaged.

    Files that have not changed are read once a process.
    """
    files = sorted(file for machine in machines for file in (Path(results) / machine).glob(f"*/{SUMMARY}"))
    return _stored(tuple((file, file.stat().st_mtime_ns) for file in files))


@lru_cache(maxsize=4)
def _stored(files: tuple[tuple[Path, int], ...]) -> Rows:
    try:
        return read([file for file, _ in files])
    except UsageError as error:
        return Rows(pd.DataFrame(columns=COLUMNS), [str(error)] if files else [])


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


def _rows(file: Path) -> list[Row]:
    if file.suffix == ".jsonl":
        table = summaries.summarise(journal.read(file)).assign(file=str(file), place=str(file))
        return [dict(row) for row in table.to_dict("records")]
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            names = next(reader, [])
            _check_header(file, names)
            lines = [(reader.line_num, row) for row in reader if any(map(str.strip, row))]
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}.") from None
    except csv.Error as error:
        raise UsageError(f"{file}:{reader.line_num}: is no CSV: {error}; the file is damaged or was cut off.") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file}: is not UTF-8 text; save it as UTF-8, or give the run's folder.") from None
    if not lines:
        raise UsageError(f"{file}: holds no row; give a finished run.")
    for line, row in lines:
        if len(row) < len(names) or any(row[len(names) :]):
            few = "fewer" if len(row) < len(names) else "more"
            raise UsageError(f"{file}:{line}: has {few} fields than its header; the file is damaged or was cut off.")
    rows = [{**dict(zip(names, row, strict=False)), "file": str(file), "place": f"{file}:{line}"} for line, row in lines]
    _refuse_cut(rows)
    return rows


def _check_header(file: Path, names: list[str]) -> None:
    needed = (*CASE_COLUMNS, "seconds_per_step", "status") if names else ()
    if wrong := [name for name in CHECKS if names.count(name) > 1 or (name in needed and name not in names)]:
        raise UsageError(
            f"{file}:1: has {'two columns' if wrong[0] in names else 'no column'} {wrong[0]}, so it is no {SUMMARY} of a run "
            f"with commas between fields and points for decimals; it begins {','.join(names)[:60]!r}."
        )


def _refuse_cut(rows: list[Row]) -> None:
    """Refuses times without the digits that a run writes, as spreadsheets save what they display."""
    for name in ("seconds_per_step", "undisturbed_seconds_per_step"):
        times = [(row["place"], row[name]) for row in rows if row.get(name)]
        if times and all(len(re.sub(r"[eE].*|\D", "", time).strip("0")) < DIGITS for _, time in times):
            place, time = times[0]
            raise UsageError(
                f"{place}: {name} is {time!r}, and no row has all its digits; "
                "a spreadsheet or a script cut them, so give the file as the run wrote it."
            )


def _checked(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The rows of every file that is right as a whole, as numbers, and the first sentence about each of the others."""
    kinds = {name: RULES[check][1] for name, check in CHECKS.items()}
    texts = {name: rows[name].fillna("").astype(str) for name, kind in kinds.items() if kind is str}
    table = rows.assign(**texts, **{name: rows[name].map(_number).astype(float) for name in kinds if name not in texts})
    left_out: list[str] = []
    while faults := [*_faults(rows, table)] or [*_twice(table)]:
        bad: dict[str, str] = {}
        for row, text in sorted(faults):
            file, place = (str(table.at[row, name]) for name in ("file", "place"))
            bad.setdefault(file, f"{place}: {text}; fix the line or leave the file out.")
        left_out += bad.values()
        table = table[~table["file"].isin([*bad])]
    counts = {name: int for name, kind in kinds.items() if kind is int}
    return table.drop(columns="place").astype(counts).reset_index(drop=True), left_out


def _number(value: Any) -> float:
    """NaN for none; minus infinity, which no column may have, for a text that is no number."""
    try:
        return float("nan" if value in ("", None) else value)
    except (TypeError, ValueError):
        return -math.inf


def _faults(rows: pd.DataFrame, table: pd.DataFrame) -> Faults:
    """Values that break their column's rule; `rows` has them as they were read."""
    for name, check in CHECKS.items():
        expected, _, right = RULES[check]
        for row in table.index[~right(table[name]).astype(bool)]:
            value = rows.at[row, name]
            yield row, f"{name} is {'missing' if value in ('', None) else repr(str(value))}, expected {expected}"
    for row in table.index[(table["status"] == "ok") & table["seconds_per_step"].isna()]:
        yield row, "status is ok, so it needs a time, in seconds_per_step"


def _twice(table: pd.DataFrame) -> Faults:
    """Second rows of a case in a run: of one file, or else of several."""
    same = ["run", *CASE_COLUMNS, SIDE]
    within = table.duplicated(["file", *same])
    for row in table.index[within if within.any() else table.duplicated(same)]:
        yield row, "holds a case of this run once more; a run has one row for each"
