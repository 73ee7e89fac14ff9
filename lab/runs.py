"""Finished runs of unchanged code, and their tables as if one step had become slower."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.analyse import reading
from lab.collect import RECORD

TARGET = "torch_manual"
"""The step that the slowed steps are copies of."""
CALM = "calm"


@dataclass(frozen=True)
class Run:
    """A finished run of unchanged code."""

    weather: str
    exit_code: int
    table: pd.DataFrame
    """As `bench.analyse.reading.read` returns it."""

    @property
    def name(self) -> str:
        """Sorts by start time."""
        return str(self.table["run"].iloc[0])

    def of_kinds(self, *kinds: str) -> pd.DataFrame:
        return self.table[self.table["kind"].isin(kinds)]


def load(top: Path, kind: str) -> dict[str, list[Run]]:
    """Weather → its finished runs of one kind, in the order of measurement; calm first."""
    runs = defaultdict(list)
    for file in top.glob(f"*/{kind}/*/{RECORD}"):
        record = json.loads(file.read_text())
        table = reading.read([file.parent]).table
        runs[record["weather"]].append(Run(record["weather"], record["exit_code"], table))
    names = sorted(runs, key=lambda name: (name != CALM, name))
    return {name: sorted(runs[name], key=lambda run: run.name) for name in names}


def unslowed(run: Run) -> pd.DataFrame:
    """Without the slowed steps."""
    return run.table[run.table["kind"] != "slowed"]


def multiplied(run: Run, step: str, share: float) -> pd.DataFrame:
    """As if one step had taken longer by `share` in every round."""
    table = unslowed(run).copy()
    times = [name for name in table if "seconds_per_step" in str(name)]
    table.loc[table["backend"] == step, times] *= 1 + share
    return table


def replaced(run: Run, stand_in: str) -> pd.DataFrame:
    """With a measured slowed step in place of the one that it is a copy of."""
    table = run.table[run.table["backend"] != TARGET]
    slowed = table["backend"] == stand_in
    names, kinds = table["backend"].mask(slowed, TARGET), table["kind"].mask(slowed, "seed")
    table = table.assign(backend=names, kind=kinds)
    return table[table["kind"] != "slowed"]


def disjoint(runs: Sequence[Run]) -> list[tuple[Run, Run]]:
    """Pairs of neighbours; no run is in two pairs."""
    return list(zip(runs[0::2], runs[1::2], strict=False))


def earlier(pair: tuple[Run, Run], runs: Iterable[Run]) -> list[Run]:
    """The runs that began, and so ended, before both of a pair."""
    start = min(run.name for run in pair)
    return [run for run in runs if run.name < start]
