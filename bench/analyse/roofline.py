"""The least time a step could take on this machine, from what the machine was seen to do in the same blocks.

It must never use a figure from a data sheet.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bench.schema.case import CEILING, CONTROL, FIXED_WORK


def add(table: pd.DataFrame, work: Sequence[tuple[int, int]]) -> pd.DataFrame:
    """Fills in a summary's columns `flop_per_second`, `byte_per_second`, `limit_seconds_per_step` and `limit_share`.

    `work` holds the floating-point operations and bytes of each row's step, in the table's order. The limit is the larger of
    operations over the best ceiling's rate and bytes over the best copy's (the roofline of Williams, Waterman & Patterson,
    2009), at this device, dtype and thread count, plus what a step costs that does nothing there: on a CPU `null`, on CUDA a
    `launch`. Without a ceiling there is no limit.
    """
    flops, moved = (np.array([one[part] for one in work], float) for part in (0, 1))
    seconds = table["seconds_per_step"].to_numpy(float)
    table = table.assign(
        flop_per_second=np.where(flops > 0, flops / seconds, np.nan),
        byte_per_second=np.where((moved > 0) & (table["kind"] == CEILING), moved / seconds, np.nan),
    )
    place = ["device", "dtype", "threads"]
    ceilings = table[table["kind"] == CEILING].groupby(place)[["flop_per_second", "byte_per_second"]].max()
    floors = table[table["kind"] == CONTROL].groupby(["device", "threads"])["seconds_per_step"].min()
    limits = []
    for row, flop, moving in zip(table.to_dict("records"), flops, moved, strict=True):
        best = ceilings.loc[key] if (key := tuple(row[name] for name in place)) in ceilings.index else None
        if row["kind"] in FIXED_WORK or best is None:
            limits.append(np.nan)
            continue
        floor = float(floors.get((row["device"], row["threads"]), 0.0))
        bounds = [flop / best["flop_per_second"], moving / best["byte_per_second"]]
        limits.append(max([bound for bound in bounds if np.isfinite(bound)], default=np.nan) + floor)
    return table.assign(limit_seconds_per_step=limits, limit_share=np.array(limits) / seconds)
