"""The least time a step could take on this machine, from what the machine was seen to do in the same blocks.

No figure comes from a data sheet.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from backends.api import weights_dtype
from bench.schema.case import CEILING, CONTROL, DEFAULT_SHAPE, FIXED_WORK, PEAK, Shape

PLACE = ["device", "dtype", "threads"]
MEASURED, SEEN = "peak", "best seen"
"""What a bound rests on, as the column `bound_by` has it."""
READ = {**DEFAULT_SHAPE._asdict(), "dtype": "float32", "ranks": 1}
"""Of what problem a peak of traffic reads the data and weights."""


def add(table: pd.DataFrame) -> pd.DataFrame:
    """Fills in a summary's columns `flop_per_second`, `byte_per_second`, `limit_seconds_per_step` and `limit_share`.

    `table` also has `flops` and `bytes`, the floating-point operations and bytes of each row's step. The limit is the larger
    of operations over the best ceiling's rate and bytes over the best copy's (the roofline of Williams, Waterman & Patterson,
    2009), at this device, dtype and thread count, plus what a step costs that does nothing there: on a CPU `null`, on CUDA a
    `launch`. Without a ceiling there is no limit.
    """
    flops, moved, seconds = (table[name].to_numpy(float) for name in ("flops", "bytes", "seconds_per_step"))
    table = table.assign(
        flop_per_second=np.where(flops > 0, flops / seconds, np.nan),
        byte_per_second=np.where((moved > 0) & table["kind"].isin((CEILING, PEAK)), moved / seconds, np.nan),
    )
    ceilings = table[table["kind"] == CEILING].groupby(PLACE)[["flop_per_second", "byte_per_second"]].max()
    floors = table[table["kind"] == CONTROL].groupby(["device", "threads"])["seconds_per_step"].min()
    limits = []
    for row in table.to_dict("records"):
        place = tuple(row[name] for name in PLACE)
        if row["kind"] in FIXED_WORK or place not in ceilings.index:
            limits.append(np.nan)
            continue
        best = ceilings.loc[place]
        floor = float(floors.get((row["device"], row["threads"]), 0.0))
        own = row["flops"] / row["ranks"], row["bytes"] / row["ranks"]  # a rank's; what they exchange takes time beside it
        bounds = [own[0] / best["flop_per_second"], own[1] / best["byte_per_second"]]
        limits.append(max([bound for bound in bounds if np.isfinite(bound)], default=np.nan) + floor)
    return table.assign(limit_seconds_per_step=limits, limit_share=np.array(limits) / seconds)


def add_bounds(table: pd.DataFrame) -> pd.DataFrame:
    """Fills in `bound_seconds_per_step`, `bound_share` and `bound_by`, all of undisturbed times.

    `table` is as for `add`, with `steps_per_call`. Where a peak of arithmetic was measured, the roofline is made of peaks, a
    thread's figure times the threads, and of ceilings, in case a library found something faster. Else it is made of ceilings
    and of the steps themselves, and no step's bound is above the fastest step of the same work. What a call costs that does
    nothing comes on top, shared by the steps of a call.
    """
    own = table["undisturbed_seconds_per_step"].astype(float).fillna(table["seconds_per_step"].astype(float))
    cores = np.where(table["kind"] == PEAK, table["threads"], 1)
    seen = table.assign(own=own, flop=table["flops"] / own * cores, byte=table["bytes"] / own * cores)
    seen.loc[~seen["kind"].isin(FIXED_WORK), "flop"] /= seen["ranks"]
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
    return table.assign(bound_seconds_per_step=bounds["seconds"], bound_share=bounds["seconds"] / own, bound_by=bounds["by"])


def _bound(row: Mapping[Any, Any], here: pd.DataFrame, floor: float) -> tuple[float, str | None]:
    """Seconds per step, and what they rest on; NaN and None of a control and of a row without a time."""
    if row["kind"] in FIXED_WORK or not math.isfinite(row["own"]):
        return math.nan, None
    roof, steps = here[here["kind"].isin((CEILING, PEAK))], here[~here["kind"].isin(FIXED_WORK)]
    if not (measured := roof.loc[roof["kind"] == PEAK, "flop"].max() > 0):
        roof = pd.concat([roof, steps.assign(byte=np.nan)])
    operations, traffic = roof["flop"].max(), roof["byte"].max()
    own = row["flops"] / row["ranks"], row["bytes"] / row["ranks"]  # a rank's; what they exchange takes time beside it
    bounds = [own[0] / operations] if operations > 0 else []
    if traffic > 0 and not (measured and _held(row) < _held(READ)):  # which may lie in a nearer cache than what a peak reads
        bounds.append(own[1] / traffic)
    bound = max(bounds, default=0.0) + floor / row["steps_per_call"]
    if measured:
        return bound, MEASURED
    same = steps[(steps[["flops", "bytes", "ranks"]] == [row["flops"], row["bytes"], row["ranks"]]).all(axis=1)]
    return min(bound, float(same["own"].min())), SEEN


def _held(row: Mapping[Any, Any]) -> int:
    """Bytes of a step's data and weights, each once."""
    N, D_in, H, D_out = (int(row[size]) for size in Shape._fields)
    return (N // int(row["ranks"]) * (D_in + D_out) + (D_in + D_out) * H) * np.dtype(weights_dtype(row["dtype"])).itemsize
