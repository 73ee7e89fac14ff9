"""The file that a run consists of: one JSON line per event, on disk before the next block starts.

It must never be rewritten: everything else in a run's folder can be rebuilt from it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import UsageError

SCHEMA = 1
NAME = "journal.jsonl"
HEADER = ("schema", "run", "machine_name", "machine", "settings", "cases", "holes")
Record = dict[str, Any]


class Journal:
    """Appends records; each is flushed to the disk before `write` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("x", encoding="utf-8")

    def write(self, record: Record) -> None:
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
    header: Record
    records: tuple[Record, ...]

    @property
    def complete(self) -> bool:
        return any(record["record"] == "end" for record in self.records)

    def of(self, kind: str) -> Iterator[Record]:
        return (record for record in self.records if record["record"] == kind)


def read(path: Path) -> Story:
    """Reads a run's folder or its journal.

    A last line that was cut off is what a killed run leaves and is passed over; anything else that is not a record
    raises `UsageError` with its line.
    """
    file = path / NAME if path.is_dir() else path
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise UsageError(f"{file}: cannot be read as a journal: {reason}; give a run's folder or its {NAME}.") from None
    finished = lines[:-1]  # what follows the last newline was never finished
    records = []
    for number, line in enumerate(finished, 1):
        try:
            record = json.loads(line)
            record["record"]
        except (ValueError, TypeError, KeyError):
            raise UsageError(f"{file}:{number}: not a journal record; the file is damaged or is no journal.") from None
        records.append(record)
    if not records or records[0]["record"] != "header":
        raise UsageError(f"{file}:1: a journal begins with its header; the file is damaged or is no journal.")
    if not isinstance(records[0].get("schema"), int):
        raise UsageError(f"{file}:1: the header has no schema number; the file is damaged or is no journal.")
    if records[0]["schema"] > SCHEMA:
        raise UsageError(f"{file}:1: schema {records[0]['schema']} is newer than {SCHEMA}, the newest known; update stepbench.")
    if missing := [name for name in HEADER if name not in records[0]]:
        raise UsageError(f"{file}:1: the header has no {missing[0]}; the file is damaged or is no journal.")
    return Story(file, records[0], tuple(records[1:]))
