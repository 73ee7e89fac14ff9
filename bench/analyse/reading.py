"""Reads what others hand in as results, of whatever kind and in whatever state, into rows like those of `summary.csv`.

A damaged file spoils no other, and no number is guessed at.
"""

from __future__ import annotations

import csv
import json
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
from bench.schema.case import CASE_COLUMNS, SIDE, Case

SUMMARY, SAMPLES = "summary.csv", "samples.csv"
MAX_BYTES = 400_000_000
"""No report of ours comes near it; a larger file is not read."""


@dataclass
class Rows:
    """What could be read: `table` has the columns `COLUMNS`, `left_out` one sentence for every file that could not."""

    table: pd.DataFrame
    left_out: list[str] = field(default_factory=list)


def read(paths: Sequence[str | Path]) -> Rows:
    """Reads runs' folders, `summary.csv`, `samples.csv`, journals and pytest-benchmark's JSON.

    A damaged file is left out and named as long as another one can be used. Raises `UsageError` if none can.
    """
    tables: list[tuple[str, pd.DataFrame]] = []
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


def _read_file(file: Path) -> pd.DataFrame:
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
    if file.suffix == ".jsonl":
        return summaries.summarise(journal.read(file))
    return _pytest_benchmark(file) if head.lstrip()[:1] in (b"{", b"[") else _csv(file, head)


def _named(tables: Sequence[tuple[str, pd.DataFrame]]) -> pd.DataFrame:
    """The rows of all files, with all columns that a comparison needs, and for each run a name that no other has."""
    table = pd.concat([table for _, table in tables], ignore_index=True)
    table = table.assign(
        file=np.repeat(np.array([file for file, _ in tables], dtype=object), [len(table) for _, table in tables]),
        line=np.concatenate([np.arange(2, len(table) + 2) for _, table in tables]),
    ).reindex(columns=[*COLUMNS, "line"])
    machine, run = (table[name].astype(object).fillna("") for name in ("machine", "run"))
    replicated = table["replicated"].isna()  # all but pytest-benchmark's, which say no
    return table.assign(run=(machine + "/" + run).where(run != "", table["file"]), replicated=replicated)


def _csv(file: Path, head: bytes) -> pd.DataFrame:
    first = head.decode(errors="replace").lstrip("\ufeff").splitlines()[0]
    names = [name.strip('"') for name in first.split(",")]
    wanted = {*EXPECTED, *TEXTS, "pass", "block", "mode", "case"}
    if ";" in first:
        raise UsageError(f"{file}:1: is separated by semicolons; save it with commas, and with points for decimals.")
    if missing := [name for name in (*CASE_COLUMNS, "seconds_per_step", "status") if name not in names]:
        raise UsageError(
            f"{file}:1: has no column {missing[0]}, so it is neither a {SUMMARY} nor a {SAMPLES} of ours; "
            f"it begins {first[:60]!r}."
        )
    if repeated := [name for name in names if name in wanted and names.count(name) > 1]:
        raise UsageError(f"{file}:1: names the column {repeated[0]} twice; keep one of them.")
    kept = [number for number, name in enumerate(names) if name in wanted]
    lines = np.array([[line[number] for number in kept] for line in _lines(file)], dtype=object).reshape(-1, len(kept))
    table = pd.DataFrame(lines, columns=[names[number] for number in kept], dtype=object)
    if table.empty:
        raise UsageError(f"{file}: has a header and no row; give a finished run.")
    if "mode" not in names:
        return table
    beside = file.with_name(journal.NAME)  # which also knows sources, versions and settings
    known = file.name == SAMPLES and beside.exists()
    return summaries.summarise(journal.read(beside)) if known else _from_samples(file, table)


def _lines(file: Path) -> list[list[str]]:
    """The fields of every line below the header, each line as long as it."""
    rows: list[list[str]] = []
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream, strict=True)
        try:
            width = len(next(reader))
            for row in reader:
                if len(row) != width:
                    few = "fewer" if len(row) < width else "more"
                    raise UsageError(
                        f"{file}:{reader.line_num}: has {few} fields than its header; the file is damaged or was cut off."
                    )
                rows.append([*map(sys.intern, row)])  # most of what a thousand files say is the same
        except csv.Error as error:
            raise UsageError(f"{file}:{reader.line_num}: is no CSV: {error}; the file is damaged or was cut off.") from None
        except UnicodeDecodeError:
            raise UsageError(f"{file}: is not UTF-8 text; save it as UTF-8, or give the run's folder.") from None
    return rows


def _from_samples(file: Path, table: pd.DataFrame) -> pd.DataFrame:
    """One row per run and case, from a row per round."""
    if missing := [name for name in ("pass", "block", "case", "kind", "machine", "run", SIDE) if name not in table]:
        raise UsageError(f"{file}:1: has rounds, but no column {missing[0]}; give the {SAMPLES} of a run as it was written.")
    numbers = table[["pass", "block", "seconds_per_step", "threads"]].apply(pd.to_numeric, errors="coerce")
    bad = numbers.isna().any(axis=1) | ~(numbers["seconds_per_step"] > 0) | ~np.isfinite(numbers).all(axis=1)
    if bad.any():
        place = f"{file}:{int(bad.to_numpy().argmax()) + 2}"
        raise UsageError(f"{place}: pass, block, threads and seconds_per_step have to be numbers, times above 0.")
    rounds = table.assign(**numbers)
    for key in rounds["case"].unique():
        try:
            Case.parse(key)
        except ValueError as error:
            raise UsageError(f"{file}: holds the case {error}; give the {SAMPLES} of a run as it was written.") from None
    throughput = rounds[rounds["mode"] == "throughput"]
    if throughput.duplicated(["run", "case", "pass", "block"]).any():
        raise UsageError(f"{file}: holds a round twice; a case has one in each block.")
    tables = [summaries.from_rounds(run) for _, run in throughput.groupby("run", sort=False)]
    if not tables:
        raise UsageError(f"{file}: holds no round of the mode throughput; give a run's {SUMMARY}.")
    return pd.concat(tables, ignore_index=True).astype({"threads": object})


def _pytest_benchmark(file: Path) -> pd.DataFrame:
    try:
        report = json.loads(file.read_text(encoding="utf-8"))
        rows = [_benchmark(entry) for entry in report["benchmarks"]]
    except UnicodeDecodeError:
        raise UsageError(f"{file}: is not UTF-8 text; give a run's {SUMMARY}.") from None
    except json.JSONDecodeError as error:
        raise UsageError(f"{file}:{error.lineno}: is no JSON: {error.msg}; the file is damaged.") from None
    except (KeyError, TypeError, AttributeError, RecursionError):
        raise UsageError(f"{file}: is JSON, but not a report of pytest-benchmark; give one, or a run's {SUMMARY}.") from None
    if not rows:
        raise UsageError(f"{file}: holds no benchmark; measure again with --benchmark-json.")
    return pd.DataFrame(rows)


def _benchmark(entry: dict[str, Any]) -> dict[str, Any]:
    """Ours say what they are in `extra_info`; of another suite's, the name stands for the whole case."""
    facts = {**(entry.get("params") or {}), **(entry.get("extra_info") or {})}
    ours = {name: facts[name] for name in (*CASE_COLUMNS, *TEXTS) if facts.get(name) is not None}
    plain = {"backend": entry["fullname"], "device": "unknown", "dtype": "unknown", "threads": 1, "shape": "unknown"}
    return {
        **plain, **ours, "status": "ok", "reason": "", "seconds_per_step": entry["stats"]["mean"], "replicated": False,
    }  # fmt: skip
