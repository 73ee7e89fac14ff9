"""What a format declares, and the rows that it gets: seconds, full precision, one name per case."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.analyse import summaries
from bench.errors import UsageError
from bench.record import journal
from bench.schema.case import Case, is_control


@dataclass(frozen=True)
class Format:
    """How one tool reads results."""

    text: Callable[[pd.DataFrame], str]
    """Makes the file of the rows of `bench.analyse.summaries.summarise`, each with its case's path
    as `id`, and its run's `time` and `commit`."""
    every_row: bool = False
    """It takes rows without a number too."""
    one_value_per_name: bool = False
    one_series: bool = False
    """It takes the runs of one machine, and of these the cases that all have."""

    def export(
        self, name: str, stories: list[journal.Story], controls: bool
    ) -> tuple[str, list[str]]:
        """As `bench.export.export`; `name` is what messages call the format."""
        tables = [summaries.summarise(story) for story in stories]
        notes = [
            f"{story.header['run']}: {doubt}"
            for story, table in zip(stories, tables, strict=True)
            for doubt in summaries.doubts(story, table)
        ]
        named = [
            table.assign(
                id=[Case.parse(key).path for key in table.index],
                time=story.header["machine"]["time"],
                commit=story.header["machine"]["commit"] or "",
            )
            for story, table in zip(stories, tables, strict=True)
        ]
        table = pd.concat(named, ignore_index=True)
        if not controls:
            table = table[~table["kind"].map(is_control)]
        if not self.every_row:
            missing = table[table["status"] != "ok"]
            notes += [
                f"{row.run}: {row.id} is left out: {row.status}: {row.reason}"
                for row in missing.itertuples()
            ]
            table = table[table["status"] == "ok"]
            if table.empty:
                raise UsageError(
                    "export: no row of these runs has a number; name a run that was measured "
                    "to its end."
                )
        if self.one_value_per_name:
            _check_names(table, name)
        if self.one_series:
            table, left_out = _of_all_runs(table, name)
            notes += left_out
        return self.text(table), notes


def records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as plain values, without those that are missing: JSON has no NaN."""
    return [
        {str(name): value for name, value in row.items() if not pd.isna(value)}
        for row in rows.to_dict("records")
    ]


def as_json(value: object) -> str:
    return json.dumps(value, indent=2, allow_nan=False) + "\n"


def _check_names(rows: pd.DataFrame, format: str) -> None:
    for name, same in rows.groupby("id", sort=False)["run"]:
        if len(same) > 1:
            raise UsageError(
                f"export: {name} is in the runs {' and '.join(same)}, and {format} takes one value "
                "per name; name one run, or use --format csv."
            )


def _of_all_runs(rows: pd.DataFrame, format: str) -> tuple[pd.DataFrame, list[str]]:
    """The rows of the cases that every run has, and what is left out."""
    if len(machines := [*rows["machine"].unique()]) > 1:
        known = " and ".join(machines)
        raise UsageError(f"export: {format} takes one machine, not {known}; name one of them.")
    everywhere = rows.groupby("id")["run"].transform("size") == rows["run"].nunique()
    if not everywhere.any():
        raise UsageError(f"export: no case has a number in every run, and {format} needs one; name runs of the same ways.")
    names = rows.loc[~everywhere, "id"].unique()
    return rows[everywhere], [f"{name} is left out: not every run has a number" for name in names]
