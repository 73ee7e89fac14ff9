"""Stored runs for Apache Otava: CSV, a row per run in time order, a column of seconds per step for each case."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from bench.analyse import summaries
from bench.errors import UsageError
from bench.record.journal import Story
from bench.schema.case import is_control


def otava(stories: Iterable[Story], controls: bool) -> tuple[str, list[str]]:
    """The CSV and a note for whatever it leaves out. Times are undisturbed ones where a case has them.

    Otava takes no empty cell, so only cases that have a number in every run are in it. Raises `UsageError`.
    """
    tables, notes = [], []
    for story in stories:
        table, machine = summaries.summarise(story), story.header["machine"]
        notes += [f"{story.header['run']}: {doubt}" for doubt in summaries.doubts(story, table)]
        tables.append(table.assign(case=table.index, time=machine["time"], commit=machine["commit"] or ""))
    rows = pd.concat(tables, ignore_index=True)
    if not controls:
        rows = rows[~rows["kind"].map(is_control)]
    ok = rows["status"] == "ok"
    notes += [f"{row.run}: {row.case} is left out: {row.status}: {row.reason}" for row in rows[~ok].itertuples()]
    rows = rows[ok]
    if len(machines := rows["machine"].unique()) > 1:
        raise UsageError(f"export: otava takes one machine, not {' and '.join(machines)}; name one of them.")
    everywhere = rows.groupby("case")["run"].transform("size") == rows["run"].nunique()
    if not everywhere.any():
        raise UsageError("export: no case has a number in every run, and otava needs one; name whole runs of the same ways.")
    notes += [f"{case} is left out: not every run has a number" for case in rows.loc[~everywhere, "case"].unique()]
    seconds = rows["undisturbed_seconds_per_step"].fillna(rows["seconds_per_step"])
    series = rows[everywhere].assign(seconds=seconds).pivot(index=["time", "run", "commit"], columns="case", values="seconds")
    return str(series.sort_index().reset_index().to_csv(index=False)), notes
