"""CSV for Apache Otava: a row per run in time order, a column of seconds per case."""

from __future__ import annotations

import pandas as pd

from bench.export._format import Format


def text(rows: pd.DataFrame) -> str:
    """Undisturbed times where a case has them; Otava takes no empty cell."""
    seconds = rows["undisturbed_seconds_per_step"].fillna(rows["seconds_per_step"])
    series = rows.assign(seconds=seconds).pivot(index=["time", "run", "commit"], columns="id", values="seconds")
    return str(series.sort_index().reset_index().to_csv(index=False))


FORMAT = Format(text, one_series=True)
