"""Verdicts on runs that are added until they suffice.

The number of looks is fixed before the first, and each look may use its own share of the error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from bench.analyse.verdicts import ALPHA, CONFIDENCE, MARGIN, UNDECIDED, Estimate, call


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
