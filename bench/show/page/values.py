"""Tables as plain JSON values, not rounded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

Json = dict[str, Any]


def plain(table: pd.DataFrame) -> list[Json]:
    """The rows of a table as JSON values; None where there is no number."""
    rows = table.astype(object).to_dict("records")
    return [{str(name): _value(value) for name, value in row.items()} for row in rows]


def _value(value: Any) -> Any:
    """JSON knows no NaN and no infinity."""
    if pd.isna(value):
        return None
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not np.isfinite(value) else value


def columns(table: pd.DataFrame) -> Json:
    """A table with the names of its columns once, not in every row."""
    kept = table.dropna(axis="columns", how="all")
    return {"columns": list(map(str, kept.columns)), "rows": [list(row.values()) for row in plain(kept)]}
