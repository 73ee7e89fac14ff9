"""A fleet's folder at home: its own journal, and below each node's id the runs that came from there, as they were written.

A run is never overwritten by less than what is there, and never twice the same.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from bench.errors import UsageError
from bench.record import journal

NAME = "fleet.jsonl"
SCHEMA = 1
LARGEST = 1 << 32
"""Bytes of one node's files; a damaged archive must not fill the disk."""


@dataclass(frozen=True)
class Arrival:
    """What came of a delivery."""

    runs: list[str]
    """Folders of runs below the node's, as MACHINE/RUN."""
    complete: list[str]
    """Of these the ones that were measured to their end."""
    again: list[str]
    """Of these the ones that had been delivered before, with nothing new."""


class Log:
    """The fleet's journal; each line is on the disk before `write` returns."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / NAME).open("a", encoding="utf-8")

    def write(self, record: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(record, separators=(",", ":")) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


@dataclass(frozen=True)
class Fleet:
    """A fleet's journal as read back."""

    folder: Path
    header: dict[str, Any]
    nodes: dict[str, dict[str, Any]]
    """Id → the last that is known of it, for every node that was asked."""


def read(folder: Path) -> Fleet:
    """Raises `UsageError`. A last line that was cut off is passed over."""
    file = folder / NAME
    try:
        records = [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n")[:-1] if line]
        header = records[0]
        nodes = {name: {"state": "missing", "reason": "never came"} for name in header["nodes"]}
        for record in records[1:]:
            nodes[record["node"]] = record
    except (OSError, ValueError, LookupError, TypeError):
        raise UsageError(f"{file}: is no fleet's journal; give the folder of a fleet, such as results/fleet/NAME.") from None
    return Fleet(folder, header, nodes)


def of_node(folder: Path, node: str) -> list[Path]:
    """The folders of its runs that are at home, oldest first."""
    return sorted((path.parent for path in (folder / node).glob(f"*/*/{journal.NAME}")), key=lambda path: path.name)


def unpack(archive: bytes, target: Path, published: Callable[[str], str] = str) -> Arrival:
    """Puts what a node delivers below `target`, run by run; `published` makes what it printed fit to be.

    A run that is there already is replaced where the new journal goes on from it, and kept beside it where it tells another
    story. Raises `UsageError` for what is no archive, or holds anything but a node's files.
    """
    files = _files(archive)
    arrival = Arrival([], [], [])
    runs = {path.parent for path in files if path.name == journal.NAME}
    for run in sorted(runs):
        mine = {path.name: content for path, content in files.items() if path.parent == run}
        new, place = mine[journal.NAME], target / run
        number = 1
        while (old := _content(place / journal.NAME)) is not None and not new.startswith(old) and not old.startswith(new):
            number += 1
            place = target / run.parent / f"{run.name}-{number}"
        if old is not None and old.startswith(new):
            arrival.again.append(str(run))
        else:
            _put(mine, place)
        arrival.runs.append(place.relative_to(target).as_posix())
        if journal.ended(place):
            arrival.complete.append(arrival.runs[-1])
    printed = {path.name: content.decode(errors="replace") for path, content in files.items() if len(path.parts) == 1}
    _put({name: published(text).encode() for name, text in printed.items()}, target)
    return arrival


def _files(archive: bytes) -> dict[PurePosixPath, bytes]:
    found: dict[PurePosixPath, bytes] = {}
    total = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
            for entry in tar:
                path = PurePosixPath(entry.name)
                plain = len(path.parts) in (1, 3) and not any(part.startswith((".", "/")) for part in path.parts)
                total += entry.size
                if not plain or not entry.isreg() or total > LARGEST:
                    raise UsageError(f"it sent {entry.name!r}, which is no file of a run")
                stream = tar.extractfile(entry)
                found[path] = stream.read() if stream else b""
    except (tarfile.TarError, EOFError, OSError) as error:
        raise UsageError(f"what it sent is no archive: {error}") from None
    return found


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _put(files: Mapping[str, bytes], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # the journal last: a run is there once it is there
    for name in sorted(files, key=lambda name: name == journal.NAME):
        temporary = folder / f".{name}.{os.getpid()}"
        with temporary.open("wb") as file:
            file.write(files[name])
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(folder / name)
