"""After how many steps a faster way of writing the step has paid for its slower start.

No gain is promised that the run has not shown.
"""

from __future__ import annotations

import numpy as np
import pandas as pd


def add(table: pd.DataFrame) -> pd.DataFrame:
    """Fills in a summary's column `break_even_steps`; the table's index is the cases' keys.

    The step n from which on `first + (n - 1) · time` is at most the baseline's; NaN unless the whole interval of the ratio to
    the baseline is below 1.
    """
    base = table[["first_step_seconds", "seconds_per_step"]].astype(float).reindex(table["baseline"]).set_axis(table.index)
    slower_start = table["first_step_seconds"].astype(float) - base["first_step_seconds"]
    gain = base["seconds_per_step"] - table["seconds_per_step"].astype(float)
    steps = 1 + pd.Series(np.ceil(slower_start / gain.where(gain > 0)), table.index).clip(lower=0)
    pays = (table["ratio_high"].astype(float) < 1) & (table["baseline"] != table.index)
    return table.assign(break_even_steps=steps.where(pays))
