"""For the tool `customSmallerIsBetter` of github-action-benchmark."""

from __future__ import annotations

from typing import Any

import pandas as pd

from bench.export._format import Format, as_json, records


def text(rows: pd.DataFrame) -> str:
    """`range` is the longer side of the 95 % interval, in the same unit."""
    return as_json([_entry(row) for row in records(rows)])


def _entry(row: dict[str, Any]) -> dict[str, Any]:
    value, low, high = (row[f"seconds_per_step{end}"] for end in ("", "_low", "_high"))
    extra = [f"{name}: {row[name]}" for name in ("machine", "run", "versions")]
    extra += [f"{name}: {row[name]:.0f}" for name in ("processes", "rounds")]
    if "ratio" in row:
        extra.append(f"ratio: {row['ratio']} ({row['ratio_low']} to {row['ratio_high']})")
    half = f"± {max(high - value, value - low)}"
    return {"name": row["id"], "unit": "s", "value": value, "range": half, "extra": "\n".join(extra)}


FORMAT = Format(text, one_value_per_name=True)
