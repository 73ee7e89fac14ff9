"""A case's time relative to a mix of the yardsticks that were timed in the same blocks of the same run.

One run at a time: what differs between runs is what a comparison is to judge, so no weight may come from it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from bench.analyse.verdicts import Estimate
from bench.machine.devices import kind_of

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


def quiet(rounds: pd.DataFrame) -> pd.DataFrame:
    """Log seconds per step in the quicker half of each process's rounds: a row per pass, a column per case.

    What else a machine does only ever adds to a time (Chen & Revels, *Robust benchmarking in noisy environments*, 2016), and
    every process gives the same share of its order statistics, so nothing is removed. Where nothing is queued, as on a CPU, a
    latency round is a second measurement of the same steps, and both count; elsewhere throughput alone.
    """
    at_once = rounds["device"].isin([device for device in rounds["device"].unique() if not kind_of(device).queued])
    same = rounds[(rounds["mode"] == "throughput") | ((rounds["mode"] == "latency") & at_once)]
    process = [same[name] for name in ("mode", "case", "pass")]
    rank = same["seconds_per_step"].groupby(process).rank(method="first")
    half = same["seconds_per_step"].groupby(process).transform("size") // 2
    kept = same[rank <= half.clip(lower=1)]
    logs = pd.Series(np.log(kept["seconds_per_step"].astype(float)), index=kept.index)
    by_mode = logs.groupby([kept["mode"], kept["case"], kept["pass"]]).mean()
    return by_mode.groupby(["case", "pass"]).mean().unstack("case")


def relative(processes: pd.DataFrame, case: str, yardsticks: list[str]) -> tuple[dict[str, float], Estimate, Estimate]:
    """A run's weights for a case, its quiet log time, and that relative to the mix, from one value per process each.

    `processes` is what `quiet` returns. A yardstick that is missing from any of the case's processes is left out; without
    one, or with fewer than two processes, there are no weights and times stay as they are.
    """
    mine = processes[processes[case].notna()]
    yardsticks = [name for name in yardsticks if mine[name].notna().all()]
    times, sticks = mine[case].to_numpy(float), mine[yardsticks].to_numpy(float)
    if not yardsticks or len(times) < 2:
        return {}, Estimate.of(times), Estimate.of(times)
    weights = mix(times, sticks)
    return dict(zip(yardsticks, map(float, weights), strict=True)), Estimate.of(times), Estimate.of(times - sticks @ weights)
