"""One table of the runs that a fleet's nodes brought home: each run read as a folder, no row changed or joined to another's."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bench.analyse import equals, reading
from bench.analyse.validation import COLUMNS
from bench.analyse.verdicts import FASTER, MARGIN, SLOWER
from bench.errors import ExitCode, UsageError
from bench.fleet import folder
from bench.record import journal
from bench.schema.records import Header
from bench.show import fleet_tables


@dataclass(frozen=True)
class Merged:
    """What a fleet measured."""

    fleet: folder.Fleet
    rows: pd.DataFrame
    """The rows of all runs, as `bench.analyse.reading.read` returns them, with the node of each."""
    judged: pd.DataFrame
    """A row for each node and device: `bench.analyse.equals.judge`."""
    missing: dict[str, str]
    """Node → why it has no complete run."""
    doubts: list[str]
    """Why the verdicts prove less than they seem to."""
    notes: list[str]
    """What else a reader has to know, a sentence each."""
    margin: float

    def outcome(self, slower: float | None = None) -> ExitCode:
        """WRONG if a node is missing, a step is wrong or failed, or a node is SLOWER than its equals by this share; UNPROVEN if
        a machine differs from itself.
        """
        wrong = self.missing or self.rows["status"].isin(["wrong", "failed"]).any()
        named = self.judged[(self.judged["verdict"] == SLOWER) & (self.judged["ratio"] >= 1 + (slower or 0.0))]
        if self.doubts:
            return ExitCode.UNPROVEN
        return ExitCode.WRONG if wrong or (slower is not None and len(named)) else ExitCode.FINE


def merge(place: Path, margin: float = MARGIN) -> Merged:
    """Reads a fleet's folder. Raises `UsageError`."""
    fleet = folder.read(place)
    runs = {node: folder.of_node(place, node) for node in fleet.nodes}
    parts, notes, headers, missing = [], [], {}, {}
    for node, folders in runs.items():
        whole = [run for run in folders if journal.ended(run)]
        if not whole:
            missing[node] = _why(fleet.nodes[node], folders)
        for run in whole:
            with suppress(UsageError):
                headers[node] = header(run)
    if paths := {str(run): node for node in headers for run in runs[node] if journal.ended(run)}:
        read = reading.read([*paths])
        notes += read.left_out
        of_run = read.table["file"].map(lambda file: paths[str(Path(file).parent)])
        parts.append(read.table.assign(node=of_run))
    rows = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*COLUMNS, "node"])
    beside = [node for node in headers if any(_beside_others(run) for run in runs[node])]
    if beside:
        notes.append(f"{fleet_tables.few(beside)}: other runs of stepbench measured there at the same time")
    for node in [node for node in headers if node not in set(rows["node"])]:
        del headers[node]
        missing[node] = "its run is here, and cannot be read"
    known = {node: _known(fleet.nodes[node], headers[node], rows[rows["node"] == node]) for node in headers}
    judged = equals.judge(rows, known, margin)
    notes += [*_projects(fleet), *_same_machine(fleet)]
    return Merged(fleet, rows, judged, missing, [*_unlike_itself(fleet, judged)], [*notes, *_doctor(judged, headers)], margin)


def write(found: Merged) -> list[Path]:
    """The table beside the fleet's journal, and all its numbers. Raises `UsageError`."""
    parts = found.rows, found.judged
    texts = {
        "fleet.md": fleet_tables.markdown(*parts, found.missing, found.doubts, found.notes),
        "fleet.csv": fleet_tables.csv(*parts),
    }
    for name, text in texts.items():
        path = found.fleet.folder / name
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(
                f"{path}: cannot be written: {error.strerror}; the runs are safe, so make room and use --show."
            ) from None
    return [found.fleet.folder / name for name in texts]


def header(run: Path) -> Header:
    """The first line of a run's journal alone, which the journal is known to have."""
    with (run / journal.NAME).open(encoding="utf-8") as file:
        first: Header = json.loads(file.readline())
    return first


def _why(record: Mapping[str, Any], folders: list[Path]) -> str:
    """Why a node is missing, and how far it came."""
    reason = str(record["reason"]) or "brought no complete run"
    for run in folders[-1:]:
        with suppress(UsageError):
            story = journal.read(run)
            passes = f"{max(0, len(story.passes) - 1)} of {story.header['settings']['processes']} passes"
            return f"{reason}; {passes} of its run are kept"
    return reason


def _beside_others(run: Path) -> bool:
    """Whether another run was seen on its machine in any pass."""
    return b'"other_runs"' in (run / journal.NAME).read_bytes()


def _known(record: Mapping[str, Any], head: Header, rows: pd.DataFrame) -> dict[str, str]:
    """What has to be the same for two nodes of one model to be equals."""
    machine = head["machine"]
    facts: Mapping[str, Any] = machine
    known = {
        "stepbench": f"{record.get('version', '')} {record.get('source', '')}".strip(),
        "Python": str(machine["python"]),
        "memory of": f"{round(machine['memory_bytes'] / 2**30)} GiB",
        "cores": str(len(machine["cores"])),
        "a CPU quota of": str(facts.get("cpu_quota") or "none"),
    }
    for text in dict.fromkeys(rows["versions"]):
        known |= dict(part.split("==", 1) for part in text.split() if "==" in part)
    for name, column in (("kernels", "kernels"), ("allocator", "allocator"), ("steps a round", "steps_per_round")):
        known[name] = ", ".join(sorted({str(value) for value in rows[column]}))
    return known | {f"source of {row.backend}": str(row.source_hash)[:12] for row in rows.itertuples() if row.source_hash}


def _projects(fleet: folder.Fleet) -> Iterator[str]:
    """Nodes with another version of the project than home."""
    home = fleet.header.get("source")
    others = [node for node, record in fleet.nodes.items() if record.get("source") not in (None, "", home)]
    if others:
        yield f"{fleet_tables.few(others)}: other files of stepbench than at home, by which the fleet was asked for"


def _same_machine(fleet: folder.Fleet) -> Iterator[str]:
    for nodes in _one_machine(fleet):
        yield f"{fleet_tables.few(nodes)}: are one machine, so they differ by chance, and took turns if one user ran them"


def _one_machine(fleet: folder.Fleet) -> Iterator[list[str]]:
    """Nodes that are one machine by what its kernel says."""
    for machine in dict.fromkeys(record.get("machine") for record in fleet.nodes.values()):
        nodes = [node for node, record in fleet.nodes.items() if record.get("machine") == machine]
        if machine and len(nodes) > 1:
            yield nodes


def _unlike_itself(fleet: folder.Fleet, judged: pd.DataFrame) -> Iterator[str]:
    """Machines that stood for several nodes and were called different: an A/A control that nobody asked for."""
    called = judged[judged["verdict"].isin([FASTER, SLOWER])]
    for nodes in _one_machine(fleet):
        if any(called["node"].isin(nodes)):
            yield f"UNPROVEN: {fleet_tables.few(nodes)} are one machine and differ; measure again when it is quiet."


def _doctor(judged: pd.DataFrame, headers: Mapping[str, Header]) -> Iterator[str]:
    """What a node that is slower knows of itself, and its equals do not."""
    for row in judged[judged["verdict"] == SLOWER].to_dict("records"):
        alike = judged[judged["machine"].eq(row["machine"]) & judged["apart"].eq(row["apart"]) & judged["node"].ne(row["node"])]
        others = {sentence for node in alike["node"] for sentence in headers[node].get("doctor", [])}
        for sentence in headers[row["node"]].get("doctor", []):
            if sentence not in others:
                yield f"{row['node']}, and none of its equals: {sentence}"
