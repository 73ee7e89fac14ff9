"""After how many steps a faster way of writing the step has paid for its slower start.

It must never promise a gain that the run has not shown.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd


def add(table: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Fills in a summary's column `break_even_steps`; `keys` names the cases of its first rows, in the table's order.

    The step n from which on `first + (n - 1) · time` is at most the baseline's; NaN unless the whole interval of the ratio to
    the baseline is below 1.
    """
    place = {key: row for row, key in enumerate(keys)}
    first, seconds, high = (table[name].to_numpy(float) for name in ("first_step_seconds", "seconds_per_step", "ratio_high"))
    steps = np.full(len(table), np.nan)
    for row, baseline in enumerate(table["baseline"]):
        base = place.get(baseline)
        if base is not None and base != row and high[row] < 1 and seconds[base] > seconds[row]:
            steps[row] = 1 + max(0.0, np.ceil((first[row] - first[base]) / (seconds[base] - seconds[row])))
    return table.assign(break_even_steps=steps)
