"""For the tool `customSmallerIsBetter` of github-action-benchmark."""

from __future__ import annotations

import json
import math
from typing import Any

import pandas as pd

from bench.errors import UsageError


def write(rows: pd.DataFrame) -> tuple[str, list[str]]:
    """`range` is the longer side of the 95 % interval, in the same unit."""
    for name, runs in rows.groupby("id", sort=False)["run"]:
        if len(runs) > 1:
            which = f"{name} is in the runs {' and '.join(runs)}"
            raise UsageError(f"export: {which}, and github-action-benchmark takes one value per name; name one run.")
    return json.dumps([_entry(row) for row in rows.to_dict("records")], indent=2) + "\n", []


def _entry(row: dict[Any, Any]) -> dict[str, Any]:
    value, low, high = (row[f"seconds_per_step{end}"] for end in ("", "_low", "_high"))
    extra = [f"{name}: {row[name]}" for name in ("machine", "run", "versions")]
    extra += [f"{name}: {row[name]:.0f}" for name in ("processes", "rounds")]
    if math.isfinite(row["ratio"]):
        extra.append(f"ratio: {row['ratio']} ({row['ratio_low']} to {row['ratio_high']})")
    half = f"± {max(high - value, value - low)}"
    return {"name": row["id"], "unit": "s", "value": value, "range": half, "extra": "\n".join(extra)}
