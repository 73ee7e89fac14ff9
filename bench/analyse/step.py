"""The time of a step that tables, pictures and prices show: one estimator everywhere."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def step_seconds(row: Mapping[Any, Any], end: str = "") -> float:
    """A summary row's undisturbed time; without one the mean of its rounds. `end`: `_low` or `_high`, of the interval."""
    undisturbed = math.isfinite(row["undisturbed_seconds_per_step"])
    return float(row[f"{'undisturbed_' * undisturbed}seconds_per_step{end}"])


def is_mean(row: Mapping[Any, Any]) -> bool:
    """Whether a row has a time, but none of undisturbed steps: they are queued, or several threads' calls do not add up."""
    return math.isfinite(row["seconds_per_step"]) and not math.isfinite(row["undisturbed_seconds_per_step"])


def ratio_of_means(row: Mapping[Any, Any], rows: Mapping[str, Mapping[Any, Any]]) -> bool:
    """Whether a ratio compares rounds in the same block, because the row or its baseline has no undisturbed time."""
    baseline = rows.get(row["baseline"]) if isinstance(row["baseline"], str) else None
    return baseline is not None and (is_mean(row) or is_mean(baseline))
