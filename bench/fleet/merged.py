"""The runs of a fleet as one table: every row as its run has it, with its node and a verdict."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.analyse import equals, reading
from bench.analyse.reading import COLUMNS
from bench.analyse.verdicts import MARGIN, SLOWER
from bench.errors import ExitCode, UsageError
from bench.fleet import home
from bench.record import journal
from bench.show.fleet_tables import join_names


@dataclass(frozen=True)
class Merged:
    rows: pd.DataFrame
    """The rows of all complete runs as `bench.analyse.reading.read` returns them, with `node`."""
    judged: pd.DataFrame
    """`bench.analyse.equals.judge` of these."""
    missing: dict[str, str]
    """Node → why it has no complete run."""
    notes: list[str]

    def outcome(self, slower: float | None = None) -> ExitCode:
        """WRONG if a node is missing, a step wrong or failed, or a node SLOWER by this share."""
        limit = math.inf if slower is None else 1 + slower
        wrong = self.rows["status"].isin(["wrong", "failed"]).any()
        named = (self.judged["verdict"] == SLOWER) & (self.judged["ratio"] >= limit)
        return ExitCode.WRONG if self.missing or wrong or named.any() else ExitCode.FINE


def merge(place: Path, margin: float = MARGIN) -> Merged:
    """Reads a fleet's folder. Raises `UsageError`."""
    head, nodes = home.read(place)
    tables, headers, known = [pd.DataFrame(columns=[*COLUMNS, "node"])], {}, {}
    missing, notes, crowded = {}, [], []
    for node, record in nodes.items():
        complete = [run for run in home.runs(place / node) if journal.ended(run)]
        try:
            if not complete:
                raise UsageError(record.get("reason", ""))
            read = reading.read(complete)
            with (complete[-1] / journal.NAME).open(encoding="utf-8") as file:
                headers[node] = json.loads(file.readline())
        except UsageError as error:
            missing[node] = str(error)
            continue
        notes += read.left_out
        tables.append(read.table.assign(node=node))
        known[node] = equals.facts(record.get("stepbench", ""), headers[node], read.table)
        if any(b'"other_runs"' in (run / journal.NAME).read_bytes() for run in complete):
            crowded.append(node)
    rows = pd.concat(tables[1:] or tables, ignore_index=True)
    judged = equals.judge(rows, known, margin)
    if crowded:
        notes.append(f"{join_names(crowded)}: other runs of stepbench measured there meanwhile")
    ours = head["stepbench"]
    if others := [node for node in headers if nodes[node].get("stepbench", ours) != ours]:
        notes.append(f"{join_names(others)}: other files of stepbench than at home ({ours})")
    notes = [*(f"missing: {node}: {reason}" for node, reason in missing.items()), *notes]
    return Merged(rows, judged, missing, [*notes, *equals.symptoms(judged, headers)])
