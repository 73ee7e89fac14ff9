"""The runs of a fleet as one table: every row as its run has it, with its node and a verdict."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.analyse import equals, reading
from bench.analyse.validation import COLUMNS
from bench.analyse.verdicts import MARGIN, SLOWER, slower_by
from bench.errors import ExitCode, UsageError
from bench.fleet import home
from bench.record import journal
from bench.show.fleet_tables import join_names


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
    head, nodes = home.read(place)
    tables, doctor = [pd.DataFrame(columns=[*COLUMNS, "node"])], dict[str, list[str]]()
    missing, notes, crowded, others = dict[str, str](), list[str](), list[str](), list[str]()
    for node, record in nodes.items():
        complete = [run for run in home.runs(place / node) if journal.ended(run)]
        try:
            if not complete:
                raise UsageError(record.get("reason", ""))
            read = reading.read(complete)
        except UsageError as error:
            missing[node] = str(error)
            continue
        notes += read.left_out
        journals = [(run / journal.NAME).read_bytes() for run in complete]
        header = json.loads(journals[-1].partition(b"\n")[0])
        machine, stepbench = header["machine"], record.get("stepbench", "")
        known = {
            "stepbench": stepbench,
            "memory": f"{round(machine['memory_bytes'] / 2**30)} GiB",
            "cores": len(machine["cores"]),
            "CPU quota": machine.get("cpu_quota") or "none",
        }
        tables.append(read.table.assign(node=node, **known))
        doctor[node] = header["doctor"]
        if any(b'"other_runs"' in text for text in journals):
            crowded.append(node)
        if stepbench not in ("", head["stepbench"]):
            others.append(node)
    rows = pd.concat(tables[1:] or tables, ignore_index=True)
    judged = equals.judge(rows, margin)
    if crowded:
        notes.append(f"{join_names(crowded)}: other runs of stepbench measured there meanwhile")
    if others:
        notes.append(f"{join_names(others)}: other files of stepbench than at home ({head['stepbench']})")
    notes = [*(f"missing: {node}: {reason}" for node, reason in missing.items()), *notes]
    return Merged(rows, judged, missing, [*notes, *_symptoms(judged, doctor)])


def _symptoms(judged: pd.DataFrame, doctor: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """What the doctor reports on a SLOWER node and on none of its equals."""
    for _, group in judged.groupby(["machine", "apart"]):
        for node in group.loc[group["verdict"] == SLOWER, "node"].unique():
            others = {sentence for other in group["node"] if other != node for sentence in doctor[other]}
            yield from (f"{node}, and none of its equals: {sentence}" for sentence in doctor[node] if sentence not in others)
