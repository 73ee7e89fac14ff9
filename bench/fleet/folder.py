"""A fleet's folder: its journal, one folder per node with the runs that it returned, and all of these as one table."""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from bench.analyse import equals, reading
from bench.analyse.reading import COLUMNS
from bench.analyse.verdicts import MARGIN, SLOWER, slower_by
from bench.errors import ExitCode, UsageError
from bench.fleet.node import FACTS
from bench.record import journal
from bench.show.fleet_tables import join_names

NAME = "fleet.jsonl"


def append(place: Path, record: Mapping[str, Any]) -> None:
    """Writes a record to the fleet's journal and to the disk. Raises `UsageError`."""
    with writing(place / NAME) as path, path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record, separators=(",", ":")) + "\n")
        file.flush()
        os.fsync(file.fileno())


def read(place: Path) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """A fleet's header, and id → last record of each node. Raises `UsageError`."""
    file = place / NAME
    try:
        header, *records = map(json.loads, file.read_text(encoding="utf-8").split("\n")[:-1])
        nodes = {node: {"reason": "has not answered; use --resume"} for node in header["nodes"]}
        nodes |= {record["node"]: record for record in records}
    except (OSError, ValueError, LookupError, TypeError):
        raise UsageError(f"{file}: is no fleet's journal; give the folder of a fleet, such as results/fleet/NAME.") from None
    return header, nodes


def runs(place: Path) -> list[Path]:
    """The folders of a node's runs, the oldest first."""
    return sorted((p.parent for p in place.glob(f"*/*/{journal.NAME}")), key=lambda p: p.name)


def complete(place: Path) -> list[Path]:
    """The folders of a node's runs that have ended, the oldest first."""
    return [run for run in runs(place) if journal.ended(run)]


def unpack(archive: bytes, target: Path) -> dict[str, str]:
    """Stores what `node.measure` returned, over incomplete runs only; returns the facts."""
    with writing(target / FACTS), TemporaryDirectory(prefix=".", dir=target) as temporary:
        try:
            with zipfile.ZipFile(io.BytesIO(archive)) as zipped:
                facts: dict[str, str] = json.loads(zipped.read(FACTS))
                zipped.extractall(temporary)  # keeps every path below this folder
        except (zipfile.BadZipFile, zlib.error, KeyError, ValueError):
            *_, last = [b"nothing", *archive[-200:].strip().splitlines()]
            raise UsageError(f"returned no run, but {last.decode(errors='replace')!r}") from None
        for new in runs(Path(temporary)):
            run = target / new.relative_to(temporary)
            if not journal.ended(run):
                shutil.rmtree(run, ignore_errors=True)
                run.parent.mkdir(exist_ok=True)
                new.replace(run)
    return facts


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Makes the folder of a file. Raises `UsageError` where the file cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield path
    except OSError as error:
        hint = "make room; BENCH_RESULTS and XDG_STATE_HOME name other folders"
        raise UsageError(f"{path}: cannot be written: {error.strerror}; {hint}.") from None


@dataclass(frozen=True)
class Merged:
    rows: pd.DataFrame
    """The rows of all complete runs as `bench.analyse.reading.read` returns them, with what `equals.judge` needs."""
    judged: pd.DataFrame
    """`bench.analyse.equals.judge` of these."""
    missing: dict[str, str]
    """Node → why it has no complete run."""
    notes: list[str]

    def outcome(self, slower: float | None = None) -> ExitCode:
        """WRONG if a node is missing, a step wrong or failed, or a node SLOWER by this share."""
        wrong = self.missing or self.rows["status"].isin(["wrong", "failed"]).any()
        return ExitCode.WRONG if wrong or (slower is not None and len(slower_by(self.judged, slower))) else ExitCode.FINE


def merge(place: Path, margin: float = MARGIN) -> Merged:
    """Reads a fleet's folder. Raises `UsageError`."""
    head, nodes = read(place)
    tables, doctor = [pd.DataFrame(columns=[*COLUMNS, "node"])], dict[str, list[str]]()
    missing, notes, said = dict[str, str](), list[str](), defaultdict[str, list[str]](list)
    for node, record in nodes.items():
        ended = complete(place / node)
        try:
            if not ended:
                raise UsageError(record.get("reason", ""))
            found = reading.read(ended)
        except UsageError as error:
            missing[node] = str(error)
            continue
        notes += found.left_out
        journals = [(run / journal.NAME).read_bytes() for run in ended]
        header = json.loads(journals[-1].partition(b"\n")[0])
        machine, stepbench = header["machine"], record.get("stepbench", "")
        known = {
            "stepbench": stepbench,
            "memory": f"{round(machine['memory_bytes'] / 2**30)} GiB",
            "cores": len(machine["cores"]),
            "CPU quota": machine.get("cpu_quota") or "none",
        }
        tables.append(found.table.assign(node=node, **known))
        doctor[node] = header["doctor"]
        if any(b'"other_runs"' in text for text in journals):
            said["other runs of stepbench measured there meanwhile"].append(node)
        if stepbench not in ("", head["stepbench"]):
            said[f"other files of stepbench than at home ({head['stepbench']})"].append(node)
    rows = pd.concat(tables[1:] or tables, ignore_index=True)
    judged = equals.judge(rows, margin)
    notes = [f"missing: {node}: {reason}" for node, reason in missing.items()] + notes
    notes += [f"{join_names(some)}: {text}" for text, some in said.items()]
    return Merged(rows, judged, missing, [*notes, *_symptoms(judged, doctor)])


def _symptoms(judged: pd.DataFrame, doctor: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """What the doctor reports on a SLOWER node and on none of its equals."""
    for _, group in judged.groupby(["machine", "apart"]):
        for node in group.loc[group["verdict"] == SLOWER, "node"].unique():
            others = {sentence for other in group["node"] if other != node for sentence in doctor[other]}
            yield from (f"{node}, and none of its equals: {sentence}" for sentence in doctor[node] if sentence not in others)
