"""The least time that a step could take on this machine, from what the run measured in the same blocks; no figure comes from
a data sheet."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from bench.schema.case import CONTROL, FIXED_WORK, PEAK

PLACE = ["device", "dtype", "threads"]
MEASURED, SEEN = "peak", "best seen"
"""What a bound follows from, as the column `bound_by` has it."""
SWEEP = 660_000
"""Bytes that the peak of traffic reads again and again; steps that move less may use a nearer cache."""


def add(table: pd.DataFrame) -> pd.DataFrame:
    """Fills in a summary's columns of rates and bounds.

    `table` also has `flops` and `bytes` of each row's step, and `steps_per_call`. Where a peak of arithmetic was measured, a
    bound is the larger of operations over the peak's rate and bytes over that of the peak of traffic, a thread's rate times the
    threads (the roofline of Williams, Waterman & Patterson, 2009). Else it is the fastest that the run saw any step of the same
    work do. The time of a call that does nothing is added, divided among the steps of a call.
    """
    flops, moved, peak = table["flops"].astype(float), table["bytes"].astype(float), table["kind"] == PEAK
    own = table["undisturbed_seconds_per_step"].astype(float).fillna(table["seconds_per_step"].astype(float))
    cores = table["threads"].where(peak, 1)
    seen = table.assign(own=own, flop=flops / own * cores, byte=moved / own * cores)
    floors = seen[seen["kind"] == CONTROL].groupby(["device", "threads"])["own"].min()
    places = dict(iter(seen.groupby(PLACE)))
    bounds = pd.DataFrame(
        [
            _bound(row, places[tuple(row[name] for name in PLACE)], floors.get((row["device"], row["threads"]), 0.0))
            for row in seen.to_dict("records")
        ],
        table.index,
        ["seconds", "by"],
    )
    return table.assign(
        flop_per_second=(flops / own).where(flops > 0),
        byte_per_second=(moved / own).where(peak & (moved > 0)),
        bound_seconds_per_step=bounds["seconds"],
        bound_share=bounds["seconds"] / own,
        bound_by=bounds["by"],
    )


def _bound(row: Mapping[Any, Any], here: pd.DataFrame, floor: float) -> tuple[float, str | None]:
    """Seconds per step and what they follow from; NaN and None of a control or without a time."""
    if row["kind"] in FIXED_WORK or not math.isfinite(row["own"]):
        return math.nan, None
    peaks, steps = here[here["kind"] == PEAK], here[~here["kind"].isin(FIXED_WORK)]
    added = floor / row["steps_per_call"]
    operations, traffic = peaks["flop"].max(), peaks["byte"].max()
    if operations > 0:
        bounds = [row["flops"] / operations]
        if traffic > 0 and row["bytes"] >= SWEEP:
            bounds.append(row["bytes"] / traffic)
        return max(bounds) + added, MEASURED
    rate = steps["flop"].max()
    same = steps[(steps[["flops", "bytes"]] == [row["flops"], row["bytes"]]).all(axis=1)]
    bound = row["flops"] / rate + added if rate > 0 else added
    return min(bound, float(same["own"].min())), SEEN
