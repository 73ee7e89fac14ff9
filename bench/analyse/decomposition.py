"""Where the time of a step goes: parts that are counts of the step times what one costs in the same blocks, and the rest.

No part is fitted, so the rest tells how much of a step nobody has explained.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench.schema.case import CEILING, FIXED_WORK, OVERHEAD

EACH = 100
"""How many of what it is about a control of the kind `overhead` does in a step."""
LARGE = 0.15
"""The share of its time from which on a rest is said to be one."""
PARTS = ("bound", "memory", "operators", "faults", "rest")


def add(table: pd.DataFrame) -> pd.DataFrame:
    """Fills in the columns `memory_…`, `operators_…`, `faults_…` and `rest_seconds_per_step`; with the bound they add up to the
    undisturbed time.

    `table` is a summary with `bytes`, those that a step has to move. They, and all that it allocates, which is written once and
    read once, pass at the rate of the fastest copy; operators cost what tiny ones of the same library do, and page faults what
    faults do that do nothing else. A part that the run has no control for, or no count of, is in the rest. So is what overlaps,
    and makes the rest too small: data that is read while others are multiplied counts twice. A run without such controls, as
    older ones are, has no parts.
    """
    own, steps = table["undisturbed_seconds_per_step"].astype(float), ~table["kind"].isin(FIXED_WORK)
    library = table["versions"].fillna("").str.partition("==")[0]
    overheads = table[(table["kind"] == OVERHEAD) & (own > 0)]
    faulting = overheads["minor_faults_per_step"] >= EACH / 2
    each = overheads.assign(
        library=library[overheads.index],
        seconds=overheads["undisturbed_seconds_per_step"] / overheads["minor_faults_per_step"].where(faulting, EACH),
    )
    fault = each[faulting].groupby(["device", "threads"])["seconds"].min()
    asked = each[~faulting].groupby(["device", "threads", "library"])["seconds"].min()
    copies = table[table["kind"] == CEILING].assign(rate=table["bytes"] / own)
    rates = copies[copies["rate"] > 0].groupby(["device", "threads"])["rate"].max()
    here = [(device, threads) for device, threads in zip(table["device"], table["threads"], strict=True)]
    calls = [(*place, name) for place, name in zip(here, library, strict=True)]
    moved = table["bytes"] / table["ranks"] + 2 * table["allocated_bytes_per_step"].astype(float).fillna(0)
    parts = {
        "memory": moved / [rates.get(place, np.nan) for place in here],
        "operators": table["operators_per_step"].astype(float) * [asked.get(call, np.nan) for call in calls],
        "faults": table["minor_faults_per_step"].astype(float) * [fault.get(place, np.nan) for place in here],
    }
    known = steps & (own > 0) & (len(overheads) > 0)
    columns = {name: part.where(known) for name, part in parts.items()}
    rest = own.where(known) - table["bound_seconds_per_step"].astype(float) - sum(part.fillna(0) for part in columns.values())
    return table.assign(**{f"{name}_seconds_per_step": part for name, part in (columns | {"rest": rest}).items()})
