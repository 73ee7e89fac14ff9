"""A case's time relative to a mix of the yardsticks that were timed in the same blocks of the same run.

It must never see two runs: what differs between runs is what a comparison is to judge, so no weight may come from it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from bench.verdicts import Estimate

FIRM = 1e3
"""How much more the condition that the weights sum to one counts than any process."""


def mix(case: np.ndarray, yardsticks: np.ndarray) -> np.ndarray:
    """Weights (k,) of the yardsticks' logs (n, k) that follow a case's logs (n,) best; none negative, and one in sum.

    One in sum, for what slows everything alike, such as a clock or a neighbour, has to cancel as a whole: timing noise in
    the yardsticks would otherwise pull all weights towards zero (regression dilution). Non-negative least squares with
    the condition as a heavy row (Lawson & Hanson, *Solving Least Squares Problems*, 1974, chapters 22 and 23).
    """
    case, yardsticks = case - case.mean(), yardsticks - yardsticks.mean(axis=0)
    heavy = FIRM * max(float(np.abs(yardsticks).max()), 1e-12) * np.sqrt(len(case))
    equations = np.vstack([yardsticks, np.full(yardsticks.shape[1], heavy)])
    weights, _ = nnls(equations, np.append(case, heavy))
    return np.asarray(weights / weights.sum())


def relative(logs: pd.DataFrame, case: str, yardsticks: list[str]) -> tuple[dict[str, float], Estimate, Estimate]:
    """A run's weights for a case, its quickest log time, and that relative to the mix; one value per process each.

    `logs` holds log seconds per step with a row per (pass, block) and a column per case. Of a process counts the quickest
    block: what else a machine does only ever adds to a time (Chen & Revels, *Robust benchmarking in noisy environments*,
    2016). A yardstick that is missing from any of the case's blocks is left out; without one, or with fewer
    than two processes, there are no weights and times stay as they are.
    """
    blocks = logs[logs[case].notna()]
    yardsticks = [name for name in yardsticks if blocks[name].notna().all()]
    processes = blocks[[case, *yardsticks]].groupby("pass").min().to_numpy()
    times, sticks = processes[:, 0], processes[:, 1:]
    if not yardsticks or len(processes) < 2:
        return {}, Estimate.of(times), Estimate.of(times)
    weights = mix(times, sticks)
    return dict(zip(yardsticks, map(float, weights), strict=True)), Estimate.of(times), Estimate.of(times - sticks @ weights)
