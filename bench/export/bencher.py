"""Bencher Metric Format."""

from __future__ import annotations

from typing import Any

import pandas as pd

from bench.export._format import Format, as_json, records

MEASURES = ("seconds_per_step", "latency_seconds_per_step", "device_seconds_per_step", "ratio")
"""The columns that have an interval; the others describe."""
ENDS = {"value": "", "lower_value": "_low", "upper_value": "_high"}


def text(rows: pd.DataFrame) -> str:
    """A measure's slug names its unit: Bencher's own `latency` would be nanoseconds."""
    return as_json({row["id"]: _metrics(row) for row in records(rows)})


def _metrics(row: dict[str, Any]) -> dict[str, dict[str, float]]:
    return {
        measure.replace("_", "-"): {name: row[f"{measure}{end}"] for name, end in ENDS.items()}
        for measure in MEASURES
        if measure in row
    }


FORMAT = Format(text, one_value_per_name=True)
