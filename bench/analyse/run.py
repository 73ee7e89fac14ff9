"""A measured run: its folder and everything that follows from its journal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bench.analyse import summaries
from bench.analyse.verdicts import slower_by
from bench.errors import ExitCode
from bench.record import frame, journal
from bench.schema.case import Case, is_control


@dataclass(frozen=True)
class Run:
    """A run, computed from its journal alone."""

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
        return ExitCode.UNPROVEN if self.doubts else ExitCode.WRONG if len(self.slower(fail_on)) else ExitCode.FINE

    def slower(self, share: float) -> pd.DataFrame:
        """The rows of later sides that are SLOWER by this share."""
        return slower_by(self.later, share)

    @property
    def later(self) -> pd.DataFrame:
        """The rows of all sides but the first."""
        first = {Case.parse(key).side for key in self.table["baseline"].dropna().unique()}
        return self.table[~self.table["side"].isin(first)]


def table(run: str | Path = "results") -> pd.DataFrame:
    """The ways of the latest run at or below a path, fastest first, by the case's key: `way`, `step` (seconds; undisturbed
    where `undisturbed` says so), `ratio` with `low` and `high`, the ends of its 95 % interval, `verdict`, and `as_it_ran`,
    the mean of loops in seconds. Raises `UsageError`."""
    rows = Run.of(frame.latest(run)).table
    rows = rows[(rows["status"] == "ok") & ~rows["kind"].map(is_control)]
    undisturbed = rows["undisturbed_seconds_per_step"].astype(float)
    step = undisturbed.fillna(rows["seconds_per_step"])
    names = {"backend": "way", "step": "step", "undisturbed": "undisturbed", "ratio": "ratio", "ratio_low": "low"}
    names |= {"ratio_high": "high", "verdict": "verdict", "seconds_per_step": "as_it_ran"}
    return rows.assign(step=step, undisturbed=undisturbed.notna())[[*names]].rename(columns=names).sort_values("step")
