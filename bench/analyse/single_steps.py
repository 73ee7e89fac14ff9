"""What a step takes when nothing disturbs it, and what it typically takes: percentiles of all single steps of a run.

On a machine with neighbours a step has two speeds that change every few milliseconds. A round averages over both; single steps
tell them apart. Nothing is removed: a percentile is an order statistic of all of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.analyse.estimates import with_interval
from bench.analyse.verdicts import Estimate
from bench.record.frame import Singles

UNDISTURBED, TYPICAL = 2, 50
"""The percentiles, chosen on one machine and judged on others: docs/decisions has the candidates."""


@dataclass(frozen=True)
class Replicates:
    """The logarithm of a run's figure, from all of its processes and without each of them in turn."""

    whole: float
    without: NDArray[np.float64]
    """(processes,) in the order of the passes."""

    @classmethod
    def of(cls, singles: Singles, percent: float, passes: Sequence[int]) -> Replicates:
        """Of a percentile of the single steps of these passes."""
        groups = [singles.by_pass[number] for number in passes]
        without = [np.concatenate(groups[:place] + groups[place + 1 :] or groups) for place in range(len(groups))]
        figures = [float(np.log(np.percentile(some, percent))) for some in (np.concatenate(groups), *without)]
        return cls(figures[0], np.array(figures[1:]))

    def __sub__(self, other: Replicates) -> Replicates:
        return Replicates(self.whole - other.whole, self.without - other.without)

    @classmethod
    def mean(cls, several: Sequence[Replicates]) -> Replicates:
        return cls(float(np.mean([one.whole for one in several])), np.mean([one.without for one in several], axis=0))

    @property
    def estimate(self) -> Estimate:
        """With the jackknife's standard error, a process left out at a time (Efron & Stein, *The Jackknife Estimate of
        Variance*, 1981): a process holds a tenth of the steps, and what differs between processes is in it."""
        n = len(self.without)
        spread = float(np.sum((self.without - self.without.mean()) ** 2)) if n > 1 else math.inf
        return Estimate(self.whole, math.sqrt(spread * (n - 1) / n), max(n - 1, 1))


def relative_to(singles: Mapping[str, Singles], case: str, others: Sequence[str], percent: float) -> Replicates:
    """A case's log time less the mean of others', if there are any, over the passes that all of them have."""
    passes = [number for number in singles[case].by_pass if all(number in singles[other].by_pass for other in others)]
    mine, *beside = (Replicates.of(singles[name], percent, passes) for name in (case, *others))
    return mine - Replicates.mean(beside) if beside else mine


def percentiles(singles: Singles) -> dict[str, float]:
    """The columns of both percentiles, each with its interval."""
    columns: dict[str, float] = {}
    for name, percent in (("typical", TYPICAL), ("undisturbed", UNDISTURBED)):
        columns |= with_interval(f"{name}_seconds_per_step", Replicates.of(singles, percent, list(singles.by_pass)).estimate)
    return columns
