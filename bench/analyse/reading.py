"""Reads result files of any kind into rows like those of `summary.csv`, and checks each row with pandera.

A file with a damaged row is named and left out; no value is changed or guessed.
"""

from __future__ import annotations

import csv
import math
import re
import sys
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Any

import pandas as pd

from bench.analyse import summaries
from bench.errors import UsageError, missing
from bench.record import journal
from bench.schema.case import CASE_COLUMNS, SIDE
from bench.schema.summary import CHECKS

SUMMARY = "summary.csv"
STATUSES = ("ok", "wrong", "failed", "unavailable", "incomplete")
RULES: dict[str, tuple[str, type, dict[str, Any]]] = {
    "name": ("a name", str, {"ne": ""}),
    "status": (f"one of {', '.join(STATUSES)}", str, {"isin": STATUSES}),
    "count": ("a whole number of at least 1", int, {"ge": 1}),
    "time": ("a number between 1e-12 and 1e9, with a decimal point", float, {"gt": 1e-12, "lt": 1e9}),
    "end": ("a number above 0, with a decimal point", float, {"gt": 0, "lt": math.inf}),
    "amount": ("a number of at least 0, with a decimal point", float, {"ge": 0}),
    "text": ("a text", str, {}),
    "machine": ("a machine's name of letters, digits, dots, pluses and dashes", str, {"str_matches": r"^[\w.+-]{0,200}$"}),
    "version": ("a version such as 3.11.7", str, {"str_matches": r"^([1-9]\.\d{1,2}\.\d{1,2}(\D.*)?)?$"}),
    "hash": ("a hash of letters and digits", str, {"str_matches": r"^\w*$"}),
}
"""Check of a column → what its values have to be, their type, and pandera's checks with their limits."""
TEXTS = [name for name, check in CHECKS.items() if check in ("text", "machine", "version", "hash")]
COLUMNS = [*CHECKS, "file"]
DIGITS = 11
"""Some time of a run has as many significant digits or more, at most 17; spreadsheets show 3 to 10."""
Fields = tuple[Any, ...]
"""Of a row: its values of `CHECKS`, its line and its file."""


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
    rows = pd.DataFrame([row for file in files for row in usable(_rows, file)], columns=[*CHECKS, "line", "file"], dtype=object)
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


def _rows(file: Path) -> list[Fields]:
    if file.suffix != ".jsonl":
        return _csv(file)
    rows = summaries.summarise(journal.read(file)).reindex(columns=[*CHECKS]).assign(line=None, file=str(file))
    return list(rows.astype(object).itertuples(index=False, name=None))


def _csv(file: Path) -> list[Fields]:
    """Of every line below the header that has any text."""
    rows: list[Fields] = []
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            names = next(reader, [])
            _check_header(file, names)
            fields = itemgetter(*(names.index(name) if name in names else -1 for name in CHECKS))
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
                values = [*map(sys.intern, row), None]  # most of what a thousand files say is the same
                rows.append((*fields(values), reader.line_num, str(file)))
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}.") from None
    except csv.Error as error:
        raise UsageError(f"{file}:{reader.line_num}: is no CSV: {error}; the file is damaged or was cut off.") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file}: is not UTF-8 text; save it as UTF-8, or give the run's folder.") from None
    if not rows:
        raise UsageError(f"{file}: holds no row; give a finished run.")
    _refuse_cut(file, rows)
    return rows


def _check_header(file: Path, names: list[str]) -> None:
    if lacking := [name for name in (*CASE_COLUMNS, "seconds_per_step", "status") if names and name not in names]:
        raise UsageError(
            f"{file}:1: has no column {lacking[0]}, so it is no {SUMMARY} of a run with commas between fields and points for "
            f"decimals; it begins {','.join(names)[:60]!r}."
        )
    if repeated := [name for name in names if name in CHECKS and names.count(name) > 1]:
        raise UsageError(f"{file}:1: names the column {repeated[0]} twice; keep one of them.")


def _refuse_cut(file: Path, rows: list[Fields]) -> None:
    """Refuses times without the digits that a run writes, as spreadsheets save what they display."""
    for name in ("seconds_per_step", "undisturbed_seconds_per_step"):
        place = [*CHECKS].index(name)
        times = [(row[-2], row[place]) for row in rows if row[place]]
        if times and all(len(re.sub(r"[eE].*|\D", "", time).strip("0")) < DIGITS for _, time in times):
            line, time = times[0]
            raise UsageError(
                f"{file}:{line}: {name} is {time!r}, and no row has all its digits; "
                "a spreadsheet or a script cut them, so give the file as the run wrote it."
            )


def _checked(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The rows of every file that is right as a whole, as numbers, and the first sentence about each of the others."""
    schema = _schema()
    from pandera.errors import SchemaErrors

    others = [name for name in CHECKS if name not in TEXTS]
    rows = rows.assign(**{name: rows[name].fillna("").astype(str) for name in TEXTS})
    rows[others] = rows[others].replace("", None)
    sentences: list[str] = []
    while len(rows):
        try:
            rows = schema.validate(rows, lazy=True)
            within, across = (rows.duplicated([*where, "run", *CASE_COLUMNS, SIDE]) for where in (["file"], []))
            twice = rows.index[within if within.any() else across]
            faults = [(int(row), "holds a case of this run once more; a run has one row for each") for row in twice]
        except SchemaErrors as errors:
            faults = [_fault(case, rows) for case in errors.failure_cases.dropna(subset=["index"]).to_dict("records")]
        if not faults:
            break
        bad: dict[str, str] = {}
        for row, text in sorted(faults):
            file, line = rows["file"].iloc[row], rows["line"].iloc[row]
            place = file if pd.isna(line) else f"{file}:{line}"  # a journal's rows stand in no line
            bad.setdefault(file, f"{place}: {text}; fix the line or leave the file out.")
        sentences += bad.values()
        rows = rows[~rows["file"].isin([*bad])].reset_index(drop=True)
    return rows.drop(columns="line"), sentences


def _fault(case: dict[Hashable, Any], rows: pd.DataFrame) -> tuple[int, str]:
    row, column = int(case["index"]), str(case["column"])
    if case["schema_context"] != "Column":
        return row, "status is ok, so it needs a time, in seconds_per_step"
    value = rows[column].iloc[row]
    return row, f"{column} is {'missing' if value is None else repr(str(value))}, expected {RULES[CHECKS[column]][0]}"


def _schema() -> Any:
    """The rules as pandera takes them."""
    try:
        import pandera.pandas as pa
    except ModuleNotFoundError:
        raise missing("pandera", "reading results", extra="compare") from None

    columns = {}
    for name, check in CHECKS.items():
        _, kind, tests = RULES[check]
        checks = [getattr(pa.Check, test)(limit) for test, limit in tests.items()]
        columns[name] = pa.Column(kind, checks, nullable=kind is float, coerce=kind is not str)
    timed = pa.Check(lambda t: (t["status"] != "ok") | t["seconds_per_step"].notna())
    return pa.DataFrameSchema(columns, checks=timed)
