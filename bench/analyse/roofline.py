"""The least time a step could take on this machine, from what the machine was seen to do in the same blocks.

No figure comes from a data sheet.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench.schema.case import CEILING, CONTROL, FIXED_WORK

PLACE = ["device", "dtype", "threads"]


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
        byte_per_second=np.where((moved > 0) & (table["kind"] == CEILING), moved / seconds, np.nan),
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
