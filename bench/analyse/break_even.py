"""After how many steps a faster way of writing the step has paid for its slower start.

No gain is promised that the run has not shown, and no number without its interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import bdtr

from bench.analyse.verdicts import CONFIDENCE, Estimate
from bench.schema.records import Open

NAMES = ["break_even_steps", "break_even_steps_low", "break_even_steps_high"]


def add(table: pd.DataFrame, opens: Sequence[Open], logs: pd.DataFrame) -> pd.DataFrame:
    """Fills in a summary's columns `NAMES`; the table's index is the cases' keys, `logs` those of `estimates.log_blocks`.

    The step n from which on `first + (n - 1) · time` is at most the baseline's; NaN unless the whole interval of the ratio to
    the baseline is below 1, and where there are too few passes for an interval.
    """
    opened = pd.DataFrame(opens, columns=["case", "pass", "first_step_seconds"])
    starts = opened.drop_duplicates(["pass", "case"]).pivot(index="pass", columns="case", values="first_step_seconds")
    times = pd.DataFrame(np.exp(logs.groupby("pass").median()))
    pays = (table["ratio_high"].astype(float) < 1) & (table["baseline"] != table.index)
    found = {}
    for key, base in table.loc[pays, "baseline"].items():
        if {key, base} <= {*starts} & {*times}:
            later, gained = (starts[key] - starts[base]).dropna(), (times[base] - times[key]).dropna()
            found[key] = after(later.to_numpy(float), gained.to_numpy(float))
    filled = pd.DataFrame.from_dict(found, "index", columns=NAMES, dtype=float).reindex(table.index)
    return table.assign(**{name: filled[name] for name in NAMES})


def after(later: np.ndarray, gained: np.ndarray) -> tuple[float, float, float]:
    """The break-even step and its interval, from how many seconds later each process was ready and how many it gained a step.

    The median start divided by the mean gain. The median's interval is that of
    order statistics, without an assumption (Thompson 1936; Hahn & Meeker, *Statistical Intervals*, 1991), the mean's is
    Student's t; each at 97.5 %, so that both hold together with 95 % (Bonferroni). The upper end is infinite where the gain
    may be none; all are NaN where the mean gain is none, and below seven processes: no median of so few has such an interval.
    """
    confidence = 1 - (1 - CONFIDENCE) / 2
    low, high = median_interval(later, confidence)
    gain = Estimate.of(gained)
    slow, quick = gain.interval(confidence)
    if math.isnan(low + slow) or gain.mean <= 0:
        return (math.nan,) * 3
    return _steps(float(np.median(later)), gain.mean), _steps(low, quick), _steps(high, slow)


def median_interval(values: np.ndarray, confidence: float) -> tuple[float, float]:
    """The narrowest symmetric pair of order statistics that holds the median with this confidence; NaN where none does."""
    ordered = np.sort(values)
    below = np.arange(len(ordered) // 2)  # how many values are left out on either side
    enough = below[2 * bdtr(below, len(ordered), 0.5) <= 1 - confidence]
    return (float(ordered[enough[-1]]), float(ordered[-1 - enough[-1]])) if len(enough) else (math.nan, math.nan)


def _steps(later: float, gain: float) -> float:
    if later <= 0:
        return 1.0
    return 1.0 + math.ceil(later / gain) if gain > 0 else math.inf
