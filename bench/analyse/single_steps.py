"""What a step takes when nothing disturbs it, and what it typically takes, from the single steps of a run.

On a machine with neighbours a step has two speeds that change every few milliseconds. A round averages over both; single steps
separate them. Nothing is removed: both figures are order statistics of all steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.analyse.estimates import with_interval
from bench.analyse.verdicts import Estimate
from bench.record.frame import Singles

Steps = Sequence[NDArray[np.float64]]
"""Seconds of single steps, an array a process."""
LOW = 2
"""The percentile of a process's steps that no neighbour disturbs; chosen on one machine and judged on another."""


def undisturbed(processes: Steps) -> float:
    """Log seconds: the 2nd percentile of each process's steps, averaged over the quicker half of the processes.

    A process that was disturbed all the time is in the slower half. The mean of the others keeps what differs between
    processes, which the least of all would not.
    """
    logs = np.sort(np.log([np.percentile(steps, LOW) for steps in processes]))
    return float(logs[: max(1, len(logs) // 2)].mean())


def typical(processes: Steps) -> float:
    """Log seconds: the median of all steps."""
    return float(np.log(np.median(np.concatenate(processes))))


@dataclass(frozen=True)
class Replicates:
    """A run's figure from all of its processes, and without each of them in turn."""

    whole: float
    without: NDArray[np.float64]
    """(processes,) in the order of the passes."""

    @classmethod
    def of(cls, singles: Singles, figure: Callable[[Steps], float], passes: Sequence[int]) -> Replicates:
        """Of these passes."""
        processes = [singles.by_pass[number] for number in passes]
        others = [processes[:place] + processes[place + 1 :] or processes for place in range(len(processes))]
        return cls(figure(processes), np.array([figure(some) for some in others]))

    def __sub__(self, other: Replicates) -> Replicates:
        return Replicates(self.whole - other.whole, self.without - other.without)

    @classmethod
    def mean(cls, several: Sequence[Replicates]) -> Replicates:
        return cls(float(np.mean([one.whole for one in several])), np.mean([one.without for one in several], axis=0))

    @property
    def estimate(self) -> Estimate:
        """With the jackknife's standard error, a process left out at a time (Efron & Stein, *The Jackknife Estimate of
        Variance*, 1981), so that what differs between processes is in it."""
        n = len(self.without)
        squares = float(np.sum((self.without - self.without.mean()) ** 2)) if n > 1 else math.inf
        return Estimate(self.whole, math.sqrt(squares * max(n - 1, 1) / n), max(n - 1, 1))


def relative_to(singles: Mapping[str, Singles], case: str, others: Sequence[str]) -> Replicates:
    """A case's undisturbed log time less the mean of others', if there are any, over the passes that all of them have."""
    passes = [number for number in singles[case].by_pass if all(number in singles[other].by_pass for other in others)]
    mine, *beside = (Replicates.of(singles[name], undisturbed, passes) for name in (case, *others))
    return mine - Replicates.mean(beside) if beside else mine


def figures(singles: Singles) -> dict[str, float]:
    """The columns of both figures, each with its interval, and the standard error of the undisturbed one.

    Rounds have no undisturbed time: a round averages over what disturbs it.
    """
    columns: dict[str, float] = {}
    for figure in (typical, undisturbed) if singles.singly else (typical,):
        estimate = Replicates.of(singles, figure, list(singles.by_pass)).estimate
        columns |= with_interval(f"{figure.__name__}_seconds_per_step", estimate)
    return columns | ({"relative_error": estimate.error} if singles.singly else {})
