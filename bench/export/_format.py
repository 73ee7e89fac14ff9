"""What a format declares of itself, and the rows that it gets: seconds, full precision, one name per case.

It gets no number of a row that is not `ok`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bench.analyse import summaries
from bench.errors import UsageError
from bench.record import journal
from bench.schema.case import Case, is_control


@dataclass(frozen=True)
class Runs:
    """What a format makes its files of."""

    stories: list[journal.Story]
    table: pd.DataFrame
    """The rows of `bench.analyse.summaries.summarise`, each with its case as `id`."""
    output: Path | None
    """Where the files are going to be written, if not to stdout."""

    def of(self, story: journal.Story) -> pd.Series[bool]:
        """Which rows are of that run."""
        return self.table["run"].eq(story.header["run"]) & self.table["machine"].eq(story.header["machine_name"])


@dataclass(frozen=True)
class Format:
    """How one tool wants it."""

    files: Callable[[Runs], dict[str, str]]
    """The format's files as path → text; of one file the path is ""."""
    every_row: bool = False
    """It takes rows without a number too."""
    one_value_per_name: bool = False
    by_commit: bool = False
    """It takes runs only that were measured at a commit."""

    def export(
        self, name: str, stories: list[journal.Story], controls: bool, output: Path | None
    ) -> tuple[dict[str, str], list[str]]:
        """As `bench.export.export`; `name` is what messages call the format."""
        tables = [summaries.summarise(story) for story in stories]
        notes = [
            f"{story.header['run']}: {doubt}"
            for story, table in zip(stories, tables, strict=True)
            for doubt in summaries.doubts(story, table)
        ]
        named = [table.assign(id=[Case.parse(key).path for key in table.index]) for table in tables]
        table = pd.concat(named, ignore_index=True)
        if not controls:
            table = table[~table["kind"].map(is_control)]
        if not self.every_row:
            missing = table[table["status"] != "ok"]
            notes += [f"{row.run}: {row.id} is left out: {row.status}: {row.reason}" for row in missing.itertuples()]
            table = table[table["status"] == "ok"]
        runs = Runs(stories, table, output)
        if self.by_commit:
            runs, homeless = _with_commit(runs, name)
            notes += homeless
        if runs.table.empty and not self.every_row:
            return {}, notes
        if self.one_value_per_name:
            _check_names(runs.table, name)
        return self.files(runs), notes


def records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as plain values, without those that are missing: JSON has no NaN."""
    return [{str(name): value for name, value in row.items() if not pd.isna(value)} for row in rows.to_dict("records")]


def as_json(value: object) -> str:
    return json.dumps(value, indent=2, allow_nan=False) + "\n"


def _with_commit(runs: Runs, name: str) -> tuple[Runs, list[str]]:
    """Without the rows of runs that were not measured at a commit, and a line for each such run."""
    notes = []
    for story in runs.stories:
        commit = story.header["machine"]["commit"]
        if not re.fullmatch(r"[0-9a-f]{40}", commit or ""):
            runs = Runs(runs.stories, runs.table[~runs.of(story)], runs.output)
            reason = f"{name} files results by commit, and this run has {commit or 'none'}"
            notes.append(f"{story.header['run']}: is left out: {reason}")
    return runs, notes


def _check_names(rows: pd.DataFrame, format: str) -> None:
    for name, same in rows.groupby("id", sort=False)["run"]:
        if len(same) > 1:
            raise UsageError(
                f"export: {name} is in the runs {' and '.join(same)}, and {format} takes one value per name; "
                "name one run, or use --format csv."
            )
