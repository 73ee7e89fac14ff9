"""Verdicts on runs that are added until they suffice: looking again and again must not find what is not there.

How many looks there are at most is fixed before the first, and each of them may use a share of the error that no other has.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from bench.analyse.verdicts import ALPHA, CONFIDENCE, EQUAL, FASTER, MARGIN, SLOWER, UNDECIDED, Estimate


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
    limit = math.log1p(margin)
    found: dict[str, tuple[str, Estimate, int]] = {}
    for row, logs in ratios.items():
        for runs in range(2, len(logs) + 1):
            estimate = Estimate.of(logs[:runs])
            low, high = estimate.interval(1 - spent(runs, looks, 1 - CONFIDENCE))
            if estimate.p <= spent(runs, looks, ALPHA) / len(ratios) and abs(estimate.mean) >= limit:
                found[row] = (SLOWER if estimate.mean > 0 else FASTER, estimate, runs)
            elif -limit < low and high < limit:
                found[row] = (EQUAL, estimate, runs)
            if row in found:
                break
        else:
            found[row] = (UNDECIDED, Estimate.of(logs) if logs else Estimate(math.nan, math.inf, 1), len(logs))
    return found
