"""What stepbench says: a run's tables as a user gets them, and pairs of runs judged by what earlier runs taught.

Nothing that was measured after a pair, and neither of the two, may teach anything about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pandas as pd
from steps import SEED

from bench.analyse import summaries
from bench.analyse.comparison import judge
from bench.analyse.validation import COLUMNS
from bench.analyse.verdicts import FASTER, SLOWER
from bench.record.journal import NAME, Story, read
from bench.schema.case import SIDE
from bench.schema.records import CaseRecord, Header, Record

TARGET, SLOWED = "torch_manual", {0.01: "slowed_1", 0.02: "slowed_2", 0.03: "slowed_3", 0.05: "slowed_5"}
EXACT = (0.02, 0.05)
"""Shares by which recorded times are multiplied, of each step in turn."""
ALARMS = (FASTER, SLOWER)
Said = dict[str, str]
"""Step → its verdict."""


@dataclass(frozen=True)
class Run:
    """One finished run. A slowed step's ratio refers to the step that it is a slower one of."""

    name: str
    """Names sort by when a run began."""
    machine: str
    seconds: float
    table: pd.DataFrame
    scaled: dict[float, pd.DataFrame]
    """Share → the table, had each of the five steps taken so much longer; their ratios and verdicts mean nothing."""
    doubts: list[str]
    kept: pd.DataFrame
    """What `campaign.csv` keeps of it."""

    @classmethod
    def of(cls, folder: Path, seconds: float) -> Run:
        """Of a run with two sides the first, which holds all that a run with one has; its rows lose their label."""
        run = cls.told(first_side(read(next(folder.rglob(NAME)))), seconds)
        table, kept, *scaled = (each.assign(**{SIDE: ""}) for each in (run.table, run.kept, *run.scaled.values()))
        return replace(run, table=table, kept=kept, scaled=dict(zip(run.scaled, scaled, strict=True)))

    @classmethod
    def of_both_sides(cls, folder: Path, seconds: float) -> Run:
        return cls.told(read(next(folder.rglob(NAME))), seconds, exact=())

    @classmethod
    def told(cls, story: Story, seconds: float = 0.0, exact: Sequence[float] = EXACT) -> Run:
        table = summaries.summarise(beside_their_original(story))
        scaled = {share: _rows(summaries.summarise(slower(story, share))) for share in exact}
        rows = _rows(table)
        header = story.header
        doubts = summaries.doubts(story, table)
        return cls(header["run"], header["machine_name"], seconds, rows, scaled, doubts, without(rows))

    def with_slower(self, step: str, share: float) -> pd.DataFrame:
        """The table, had this one step taken so much longer in every round: all else as it was recorded."""
        other = self.scaled[share]
        mine, rest = other[other["backend"] == step], self.table[self.table["backend"] != step]
        return without(pd.concat([mine, rest]))


def _rows(table: pd.DataFrame) -> pd.DataFrame:
    """As `bench.analyse.reading.read` returns them."""
    return table.reindex(columns=COLUMNS).assign(replicated=True)


def first_side(story: Story) -> Story:
    first = story.header["cases"][0]["side"]
    cases = [case for case in story.header["cases"] if case["side"] == first]
    keys = {case["key"] for case in cases}
    records = tuple(record for record in story.records if record.get("case", cases[0]["key"]) in keys)
    return replace(story, header=cast(Header, {**story.header, "cases": cases}), records=records)


def beside_their_original(story: Story) -> Story:
    cases = story.header["cases"]
    baseline = {"baseline": next((case["key"] for case in cases if case["name"] == TARGET), None)}
    cases = [cast(CaseRecord, {**case, **baseline}) if case["kind"] == "slowed" else case for case in cases]
    return replace(story, header=cast(Header, {**story.header, "cases": cases}))


def slower(story: Story, share: float) -> Story:
    """The same run, had every round of the five steps taken so much longer; controls are left as they were."""
    keys = {case["key"] for case in story.header["cases"] if case["name"] in SEED}

    def longer(seconds: Any) -> Any:
        if isinstance(seconds, list):
            return [each * (1 + share) for each in seconds]
        return seconds if seconds is None else seconds * (1 + share)

    def changed(record: Record) -> Record:
        if record["record"] != "visit" or record["case"] not in keys:
            return record
        fields: dict[str, Any] = {**record}
        times = {name for name in fields if name.endswith("_seconds") and name != "readback_seconds"}
        return cast(Record, fields | {name: longer(fields[name]) for name in times})

    return replace(story, records=tuple(map(changed, story.records)))


def without(table: pd.DataFrame, stand_in: str | None = None) -> pd.DataFrame:
    """A run's table without the slowed steps, one of which may stand in for the target."""
    if stand_in:
        table = table[table["backend"] != TARGET]
        table = table.assign(backend=table["backend"].replace(stand_in, TARGET))
    return table[(table["kind"] != "slowed") | (table["backend"] == TARGET)]


@dataclass(frozen=True)
class Judged:
    """What a comparison of two runs says; one that is UNPROVEN asks for new runs, whatever its rows say."""

    said: Said
    unproven: bool

    @property
    def alarms(self) -> set[str]:
        return {name for name, verdict in self.said.items() if verdict in ALARMS}


def teachers(base: Run, head: Run, runs: Sequence[Run]) -> list[Run]:
    """Those that had begun, and so ended, before both: one run follows another."""
    return [run for run in runs if run.name < min(base.name, head.name)]


def compared(base: Run, head: pd.DataFrame, earlier: Sequence[Run]) -> Judged:
    """A run and the table of a later one, slowed or not; without earlier runs a machine that nothing is known of."""
    campaign = pd.concat([run.kept for run in earlier], ignore_index=True) if earlier else None
    found = judge(without(base.table), head, campaign)
    return Judged(dict(zip(found.table["backend"], found.table["verdict"], strict=True)), bool(found.doubts))
