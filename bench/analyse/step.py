"""The time of a step that tables, pictures and prices show: one estimator everywhere."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def step_seconds(row: Mapping[Any, Any], end: str = "") -> float:
    """A summary row's undisturbed time; without one the mean of its rounds; NaN without a time.

    `end`: `_low` or `_high`, of the interval.
    """
    prefix = "undisturbed_" if _known(row, "undisturbed_seconds_per_step") else ""
    name = f"{prefix}seconds_per_step{end}"
    return float(row[name]) if _known(row, name) else math.nan


def is_mean(row: Mapping[Any, Any]) -> bool:
    """Whether a row has a time, but no undisturbed one: steps are queued, or threads' calls do not add up."""
    return _known(row, "seconds_per_step") and not _known(row, "undisturbed_seconds_per_step")


def ratio_of_means(row: Mapping[Any, Any], rows: Mapping[str, Mapping[Any, Any]]) -> bool:
    """Whether a ratio compares rounds in the same block: the row or its baseline has no undisturbed time."""
    baseline = rows.get(row["baseline"]) if isinstance(row["baseline"], str) else None
    return baseline is not None and (is_mean(row) or is_mean(baseline))


def _known(row: Mapping[Any, Any], name: str) -> bool:
    return row[name] is not None and math.isfinite(row[name])
