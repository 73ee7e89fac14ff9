"""The file that a run consists of: one JSON line per event, on disk before the next block starts.

It is only appended to; every other file of a run can be rebuilt from it. `read` validates, so
callers can rely on every record.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.schema.checking import fault
from bench.schema.records import KINDS, Failure, Header, Open, Pass, Profile, Record, Visit

SCHEMA = 2
NAME = "journal.jsonl"


class Journal:
    """Appends records; each is flushed to the disk before `write` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("x", encoding="utf-8")

    def write(self, record: Header | Record) -> None:
        self._file.write(json.dumps(record, separators=(",", ":")) + "\n")
        self._file.flush()
        if record["record"] != "visit":  # a block ends with a record of its own: not even a crash of the machine loses it
            os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


@dataclass(frozen=True)
class Story:
    """A journal as read back."""

    path: Path
    header: Header
    records: tuple[Record, ...]

    @property
    def complete(self) -> bool:
        return any(record["record"] == "end" for record in self.records)

    @property
    def passes(self) -> list[Pass]:
        return [record for record in self.records if record["record"] == "pass"]

    @property
    def opens(self) -> list[Open]:
        return [record for record in self.records if record["record"] == "open"]

    @property
    def visits(self) -> list[Visit]:
        return [record for record in self.records if record["record"] == "visit"]

    @property
    def profiles(self) -> dict[str, Profile]:
        """By the case's key."""
        return {record["case"]: record for record in self.records if record["record"] == "profile"}

    @property
    def failures(self) -> dict[str, Failure]:
        """The first of each case, by its key."""
        failures = [record for record in self.records if record["record"] == "failure"]
        return {record["case"]: record for record in reversed(failures)}


def read(path: Path) -> Story:
    """Reads a run's folder or its journal.

    A last line without its newline, as a killed run leaves, is ignored; any other line that is not
    a record raises `UsageError` with its number.
    """
    file = path / NAME if path.is_dir() else path
    try:
        lines = file.read_text(encoding="utf-8").split("\n")[:-1]  # what follows the last newline was never finished
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise UsageError(f"{file}: cannot be read as a journal: {reason}; give a run's folder or its {NAME}.") from None
    header = _header(file, _parsed(file, 1, lines[0]) if lines else {})
    keys = {case["key"] for case in header["cases"]}
    records: list[Record] = []
    seen: set[tuple[Any, ...]] = set()
    for number, line in enumerate(lines[1:], 2):
        record = _parsed(file, number, line)
        if record["record"] == "header":
            raise _damaged(file, number, "not a journal record: a header stands in the first line alone")
        if record["record"] not in KINDS:
            raise _damaged(file, number, f"not a journal record: unknown kind {record['record']!r}")
        if what := fault(record, KINDS[record["record"]]):
            raise _damaged(file, number, f"not a journal record: {what}")
        if record.get("case", "") not in {*keys, ""}:
            raise _damaged(file, number, f"not a journal record: case is {record['case']!r}, which the header does not have")
        if (event := _event(record)) in seen:
            raise _damaged(file, number, f"not a journal record: it repeats {' '.join(map(str, event))}")
        seen.add(event)
        records.append(record)
    return Story(file, header, tuple(records))


def ended(path: Path) -> bool:
    """Whether a run's folder or its journal is complete, by its last line alone."""
    file = path / NAME if path.is_dir() else path
    try:
        with file.open("rb") as stream:
            stream.seek(max(0, file.stat().st_size - 4096))
            last = json.loads(stream.read().splitlines(keepends=True)[-1])
    except (OSError, ValueError, IndexError):
        return False
    return isinstance(last, dict) and last.get("record") == "end"


def _parsed(file: Path, number: int, line: str) -> Any:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict) or not isinstance(record.get("record"), str):
        raise _damaged(file, number, "not a journal record")
    return record


def _header(file: Path, record: dict[str, Any]) -> Header:
    if record.get("record") != "header":
        raise _damaged(file, 1, "a journal begins with its header")
    if isinstance(schema := record.get("schema"), int) and schema != SCHEMA:
        raise UsageError(
            f"{file}:1: schema {schema}, expected {SCHEMA}: another version of stepbench measured "
            "this run; measure it again or read it with that version."
        )
    if what := fault(record, Header):
        raise _damaged(file, 1, f"the header is not a run's: {what}")
    keys = [named["key"] for named in (*record["cases"], *record["holes"])]
    if twice := next((key for key in keys if keys.count(key) > 1), None):
        raise _damaged(file, 1, f"the header is not a run's: it names {twice} twice")
    header: Header = record  # type: ignore[assignment]  # as `fault` has found
    return header


def _event(record: Mapping[str, Any]) -> tuple[Any, ...]:
    """What can happen only once in a run."""
    return tuple(record[name] for name in ("record", "pass", "block", "case") if name in record)


def _damaged(file: Path, number: int, what: str) -> UsageError:
    return UsageError(f"{file}:{number}: {what}; the file is damaged or is no journal.")
