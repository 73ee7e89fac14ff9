"""Counts how often something was said, and whether the intervals of runs hold what the other runs of their weather tell.

Pure functions of numbers. What is counted has to be independent: pairs of runs share none, and no run is held against itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import pandas as pd
from scipy.special import stdtrit
from scipy.stats import binomtest

from bench.analyse.verdicts import ALPHA, CONFIDENCE, Estimate, holm

FEWEST = 5
"""Runs of a weather from which their mean is worth holding a run against: its error widens what is compared by a tenth."""
T = TypeVar("T")


def pairs(runs: Sequence[T]) -> list[tuple[T, T]]:
    """The first with the second, the third with the fourth, and so on: no run is in two pairs."""
    return list(zip(runs[0::2], runs[1::2], strict=False))


def counted(question: str, answers: Sequence[bool]) -> dict[str, object]:
    """Share of yes with its Wilson 95 % interval, which takes answers for independent; NaN if nothing was asked."""
    count, of = sum(map(bool, answers)), len(answers)
    if not of:
        return {"question": question, "count": 0, "of": 0, "share": np.nan, "low": np.nan, "high": np.nan}
    low, high = binomtest(count, of).proportion_ci(method="wilson")
    return {"question": question, "count": count, "of": of, "share": count / of, "low": float(low), "high": float(high)}


def means_of_others(values: pd.DataFrame) -> pd.DataFrame:
    """For each run (a row) the mean over all other runs of each column; NaN where fewer than `FEWEST` runs have a value."""
    total, count = values.sum(), values.notna().sum()
    others = (total - values) / (count - 1).where(count >= FEWEST)
    return pd.DataFrame(others)


def covered(values: pd.DataFrame, low: pd.DataFrame, high: pd.DataFrame) -> dict[str, list[bool]]:
    """Column → for each run that has it, whether its interval holds the mean over the other runs."""
    others = means_of_others(values)
    inside, known = (low <= others) & (others <= high), low.notna() & high.notna() & others.notna()
    return {str(name): inside[name][known[name]].tolist() for name in values}


def far_off(values: pd.DataFrame, low: pd.DataFrame, high: pd.DataFrame, freedom: pd.DataFrame) -> list[bool]:
    """For each run whether any of its ratios lies significantly off the mean over the other runs, corrected for its rows.

    The chance is `ALPHA` a table if a run's intervals tell all there is. Their ends, of log ratios, give the errors back.
    """
    deviations = values - means_of_others(values)
    quantiles = stdtrit(freedom.to_numpy(float), (1 + CONFIDENCE) / 2)
    errors = (high - low).to_numpy(float) / 2 / quantiles
    answers = []
    for rows in zip(deviations.to_numpy(float), errors, freedom.to_numpy(float), strict=True):
        known = [Estimate(*map(float, row)) for row in zip(*rows, strict=True) if np.isfinite(row).all()]
        if known:
            answers.append(min(holm([estimate.p for estimate in known])) < ALPHA)
    return answers
