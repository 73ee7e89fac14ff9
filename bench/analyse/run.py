"""A measured run: its folder and everything that follows from its journal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bench.analyse import summaries
from bench.analyse.verdicts import SLOWER
from bench.errors import ExitCode
from bench.record import journal
from bench.schema.case import Case


@dataclass(frozen=True)
class Run:
    """A run as its journal tells it: nothing here is in any other file of its folder alone."""

    folder: Path
    story: journal.Story
    table: pd.DataFrame
    doubts: list[str]

    @classmethod
    def read(cls, path: Path) -> Run:
        return cls.of(journal.read(path))

    @classmethod
    def of(cls, story: journal.Story) -> Run:
        table = summaries.summarise(story)
        return cls(story.path.parent, story, table, summaries.doubts(story, table))

    def row(self, key: str) -> dict[str, Any]:
        """The summary row of a case as plain JSON values; None where there is no number."""
        row = self.table.astype(object).loc[key]  # astype turns NumPy's numbers into Python's
        return {str(name): None if pd.isna(value) else value for name, value in row.items()}

    def exit_code(self, fail_on: float | None = None) -> ExitCode:
        """WRONG if a step is wrong or failed, or one of a later side SLOWER by the share `fail_on`; UNPROVEN if that is."""
        if self.table["status"].isin(["wrong", "failed"]).any():
            return ExitCode.WRONG
        if fail_on is None:
            return ExitCode.FINE
        first = {Case.parse(key).side for key in self.table["baseline"].dropna().unique()}
        later = self.table[~self.table["side"].isin(first)]
        slower = (later["verdict"] == SLOWER) & (later["ratio"] >= 1 + fail_on)
        return ExitCode.UNPROVEN if self.doubts else ExitCode.WRONG if slower.any() else ExitCode.FINE
