"""A case's time relative to the calibration workloads that were timed in the same run: what the machine was like goes out.

One run at a time: what differs between runs is what a comparison is to judge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from bench.analyse.single_steps import relative_to
from bench.analyse.verdicts import Estimate
from bench.machine.devices import kind_of
from bench.record.frame import Singles


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


def relative(
    timed: Mapping[str, Singles], processes: pd.DataFrame, case: str, workloads: Sequence[str]
) -> tuple[list[str], Estimate]:
    """The workloads that count, and the log time relative to their mean: undisturbed where single steps were timed.

    `processes` is what `quiet` returns. A workload that is missing from any of the case's processes is left out; without
    one times stay as they are.
    """
    mine = processes[processes[case].notna()]
    workloads = [name for name in workloads if mine[name].notna().all()]
    if case in timed and all(name in timed for name in workloads):
        return workloads, relative_to(timed, case, workloads).estimate
    times = mine[case].to_numpy(float)
    return workloads, Estimate.of(times - mine[workloads].to_numpy(float).mean(axis=1) if workloads else times)
