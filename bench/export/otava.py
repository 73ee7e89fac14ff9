"""CSV for Apache Otava: a row per run in time order, a column of seconds per case."""

from __future__ import annotations

import pandas as pd

from bench.errors import UsageError


def write(rows: pd.DataFrame) -> tuple[str, list[str]]:
    """Undisturbed times where a case has them. Otava takes no empty cell, so only cases that all runs have are in it."""
    if len(machines := rows["machine"].unique()) > 1:
        raise UsageError(f"export: otava takes one machine, not {' and '.join(machines)}; name one of them.")
    everywhere = rows.groupby("id")["run"].transform("size") == rows["run"].nunique()
    if not everywhere.any():
        raise UsageError("export: no case has a number in every run, and otava needs one; name runs of the same ways.")
    seconds = rows["undisturbed_seconds_per_step"].fillna(rows["seconds_per_step"])
    series = rows[everywhere].assign(seconds=seconds).pivot(index=["time", "run", "commit"], columns="id", values="seconds")
    notes = [f"{name} is left out: not every run has a number" for name in rows.loc[~everywhere, "id"].unique()]
    return str(series.sort_index().reset_index().to_csv(index=False)), notes
