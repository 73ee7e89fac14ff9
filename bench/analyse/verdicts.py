"""Verdicts on log ratios, corrected for the number of rows of a table; or on runs that are added until they suffice.

Of these the number of looks is fixed before the first, and each look may use its own share of the error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

FASTER, SLOWER, EQUAL, UNDECIDED = "FASTER", "SLOWER", "EQUAL", "UNDECIDED"
UNPROVEN = "UNPROVEN"
"""In place of a verdict, or before a doubt that leaves none standing; see `bench.analyse.summaries.doubts`."""
ALPHA = 0.01
"""The chance that a table of unchanged code holds any FASTER or SLOWER."""
CONFIDENCE = 0.95
"""Of the interval of a single row."""
MARGIN = 0.01
"""Differences below this are of no practical interest. It is fixed: noise makes a row UNDECIDED, not EQUAL."""


@dataclass(frozen=True)
class Estimate:
    """A mean with its standard error and the degrees of freedom which that is known with; of times, a mean of logarithms."""

    mean: float
    error: float
    freedom: float

    @classmethod
    def of(cls, values: Sequence[float] | np.ndarray) -> Estimate:
        """From independent values, one a process or one a run. A single one has an infinite error."""
        n = len(values)
        error = float(np.std(values, ddof=1)) / math.sqrt(n) if n > 1 else math.inf
        return cls(float(np.mean(values)), error, max(n - 1, 1))

    def interval(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Student's t; NaN if the error is not known."""
        if math.isinf(self.error):
            return math.nan, math.nan
        half = float(stdtrit(self.freedom, (1 + confidence) / 2)) * self.error
        return self.mean - half, self.mean + half

    @property
    def p(self) -> float:
        """Two-sided p-value of no difference at all."""
        if self.error == 0:
            return 0.0 if self.mean else 1.0
        return 2 * float(stdtr(self.freedom, -abs(self.mean) / self.error))


def call(estimate: Estimate, p: float, margin: float = MARGIN, alpha: float = ALPHA, confidence: float = CONFIDENCE) -> str:
    """The verdict on one row.

    FASTER or SLOWER: no chance finding (p at most `alpha`), and at least `margin` large. EQUAL: the
    row's interval lies within the margin on both sides (two one-sided tests, Schuirmann 1987).
    UNDECIDED: neither.
    """
    limit, (low, high) = math.log1p(margin), estimate.interval(confidence)
    if p <= alpha and abs(estimate.mean) >= limit:
        return SLOWER if estimate.mean > 0 else FASTER
    return EQUAL if -limit < low and high < limit else UNDECIDED


def verdicts(estimates: Sequence[Estimate], margin: float = MARGIN) -> list[tuple[str, float]]:
    """Each row's verdict and its p-value after Holm's correction (1979) for all rows."""
    adjusted = holm([estimate.p for estimate in estimates])
    return [(call(e, p, margin), p) for e, p in zip(estimates, adjusted, strict=True)]


def slower_by(rows: pd.DataFrame, share: float) -> pd.DataFrame:
    """The rows of a table that are SLOWER by this share."""
    return rows[(rows["verdict"] == SLOWER) & (rows["ratio"] >= 1 + share)]


def more_data(estimate: Estimate, margin: float = MARGIN, rows: int = 1) -> float:
    """How many times the data would decide this row of a table of so many, its mean and spread staying as they are, or a little
    less, for more data also know their spread better.

    A mean of `margin` or more has to leave zero by the level's share of one row, one below it has to stay within the margin
    with its interval; at the margin itself nothing decides.
    """
    limit, mean = math.log1p(margin), abs(estimate.mean)
    if mean >= limit:
        wanted = mean / float(stdtrit(estimate.freedom, 1 - ALPHA / (2 * rows)))
    else:
        wanted = (limit - mean) / float(stdtrit(estimate.freedom, (1 + CONFIDENCE) / 2))
    return max(1.0, (estimate.error / wanted) ** 2) if wanted > 0 else math.inf


def holm(ps: Sequence[float]) -> list[float]:
    """Adjusted p-values: the chance that any of the true hypotheses among them is rejected stays below the level."""
    adjusted, worst = [1.0] * len(ps), 0.0
    for rank, row in enumerate(np.argsort(ps, kind="stable")):
        worst = max(worst, min(1.0, (len(ps) - rank) * ps[row]))
        adjusted[row] = worst
    return adjusted


def spent(look: int, looks: int, level: float) -> float:
    """What the `look`-th of so many looks may use of an error level: later ones more, by the square of the information seen.

    The error-spending function α·t² (Kim & DeMets, *Design and analysis of group sequential tests*, Biometrika 1987).
    """
    return level * ((look / looks) ** 2 - ((look - 1) / looks) ** 2)


def decided(ratios: Mapping[str, Sequence[float]], looks: int, margin: float = MARGIN) -> dict[str, tuple[str, Estimate, int]]:
    """Row → verdict, estimate, and the number of runs when it was called, or of all runs while it is UNDECIDED.

    `ratios` holds a log ratio per run and row, in the order of the runs. A row that has a verdict keeps it: FASTER and SLOWER
    exclude zero by the look's share of `ALPHA` divided by the number of rows, and are `margin` large; EQUAL keeps its interval
    within the margin by the look's share of the error that intervals have. By the union bound a table of equal rows gets a
    wrong FASTER or SLOWER with a chance of `ALPHA` at most, however often and whenever somebody looks.
    """
    found: dict[str, tuple[str, Estimate, int]] = {}
    for row, logs in ratios.items():
        for runs in range(2, len(logs) + 1):
            estimate = Estimate.of(logs[:runs])
            alpha, confidence = spent(runs, looks, ALPHA), 1 - spent(runs, looks, 1 - CONFIDENCE)
            verdict = call(estimate, len(ratios) * estimate.p, margin, alpha, confidence)
            if verdict != UNDECIDED:
                found[row] = verdict, estimate, runs
                break
        else:
            found[row] = (UNDECIDED, Estimate.of(logs) if logs else Estimate(math.nan, math.inf, 1), len(logs))
    return found
