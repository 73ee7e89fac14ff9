"""The file that a run consists of: one JSON line per event, on disk before the next block starts.

Its header says all that is needed to read the later lines. It is only appended to; every other file of a run can be
rebuilt from it. `read` validates, so callers can rely on every record.
"""

from __future__ import annotations

import json
import os
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.plan.cases import Plan
from bench.schema.case import Case
from bench.schema.checking import fault
from bench.schema.records import KINDS, Failure, Header, MachineFacts, Open, Pass, Profile, Record, Visit

SCHEMA = 2
NAME = "journal.jsonl"
DAMAGED = "the file is damaged or is no journal"


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


def header(plan: Plan, machine: MachineFacts, machine_name: str, run: str, doctor: Sequence[str] = ()) -> Header:
    """The first record of a run of this plan; `doctor`: what is known to disturb measurements here.

    Raises `TypeError` for a header that could not be read again: a bug, better seen now.
    """
    measured = (*plan.cases, *plan.controls)
    used = {(case.backend, case.side): plan.backend(case) for case in measured}
    sides = {side.label: side.facts for side in plan.sides if side.label}
    first: Any = {
        "record": "header", "schema": SCHEMA, "run": run, "machine_name": machine_name,
        "settings": plan.settings.as_json(),
        "problem": plan.definition.as_record(),
        "machine": {**machine, "sides": sides} if sides else machine,
        "cases": [_case_record(plan, case) for case in measured],
        "holes": [{**hole.case.as_json(), "kind": plan.kind(hole.case), "reason": hole.reason} for hole in plan.holes],
        "sources": {used[key].hash: used[key].source for key in sorted(used)},
        "doctor": list(doctor),
    }  # fmt: skip
    if what := fault(first, Header):
        raise TypeError(f"this run's header could not be read again: {what}")
    return first  # type: ignore[no-any-return]  # as `fault` has found


def _case_record(plan: Plan, case: Case) -> dict[str, Any]:
    backend, baseline, problem = plan.backend(case), plan.baseline_of(case), plan.definition
    if backend.proven:
        work = [problem.operations(case.shape), problem.bytes_moved(case.shape, case.dtype)]
    else:
        work = backend.work.get(case.device, {}).get(case.dtype, [0, 0])
    return {
        **case.as_json(),
        "kind": plan.kind(case),
        "source_hash": backend.hash,
        "proven": backend.proven,
        "selected": case in plan.cases,
        "baseline": baseline.key if baseline and backend.proven else None,
        "flops": work[0],
        "bytes": work[1],
        "steps_per_call": backend.steps_per_call,
        "constants": problem.constants(case.shape),
        "versions": backend.versions,
    }


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

    def opens(self, case: str) -> list[Open]:
        return [record for record in self.records if record["record"] == "open" and record["case"] == case]

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
    found: list[Any] = []
    keys: set[str] = set()
    seen: set[tuple[str, ...]] = set()
    for number, line in enumerate(lines or [""], 1):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if what := _record_fault(record, keys, seen) if found else _header_fault(record):
            raise UsageError(f"{file}:{number}: {what}.")
        if not found:
            keys = {case["key"] for case in record["cases"]}
        found.append(record)
    return Story(file, found[0], tuple(found[1:]))


def ended(folder: Path) -> bool:
    """Whether the run in a folder is complete, by its last line alone."""
    try:
        last = json.loads((folder / NAME).read_bytes().splitlines()[-1])
    except (OSError, ValueError, IndexError):
        return False
    return isinstance(last, dict) and last.get("record") == "end"


def _header_fault(record: Any) -> str:
    """Why this is no header that can be used; empty for one that can."""
    if not isinstance(record, dict) or record.get("record") != "header":
        return f"a journal begins with its header; {DAMAGED}"
    if isinstance(schema := record.get("schema"), int) and schema != SCHEMA:
        return (
            f"schema {schema}, expected {SCHEMA}: another version of stepbench measured this run; "
            "measure it again or read it with that version"
        )
    if not (what := fault(record, Header)):
        keys = [named["key"] for named in (*record["cases"], *record["holes"])]
        what = next((f"it names {key} twice" for key in keys if keys.count(key) > 1), None)
    return f"the header is not a run's: {what}; {DAMAGED}" if what else ""


def _record_fault(record: Any, keys: Container[str], seen: set[tuple[str, ...]]) -> str:
    """Why this is no later record of a run of these cases; empty for one, which is added to those that were seen."""
    kind = record.get("record") if isinstance(record, dict) else None
    what = fault(record, KINDS[kind]) if isinstance(kind, str) and kind in KINDS else f"unknown kind {kind!r}"
    if not what and "case" in record and record["case"] not in keys:
        what = f"case is {record['case']!r}, which the header does not have"
    if not what:
        event = tuple(str(record.get(name, "")) for name in ("record", "pass", "block", "case"))  # can happen only once
        what = f"it repeats {' '.join(filter(None, event))}" if event in seen else None
        seen.add(event)
    return f"not a journal record: {what}; {DAMAGED}" if what else ""
