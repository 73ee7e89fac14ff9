"""From the rounds and the single steps of a case to its estimates.

The process is the unit: blocks within it are summarised by their median, and intervals come from the spread between
processes (Kalibera & Jones, *Rigorous Benchmarking in Reasonable Time*, 2013). No outlier is ever dropped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.analyse.verdicts import Estimate
from bench.record.frame import Singles
from bench.schema.case import CONTROL, FIXED_WORK, PEAK
from bench.schema.records import COUNTERS, Open

LOW = 2
"""The percentile of a process's steps that no neighbour disturbs; chosen on one machine and judged on another."""
MEASURED, SEEN = "peak", "best seen"  # what a bound follows from, as the column `bound_by` has it
SWEEP = 660_000
"""Bytes that the peak of traffic reads again and again; steps that move less may use a nearer cache."""


def with_interval(name: str, estimate: Estimate) -> dict[str, float]:
    """An estimate of a logarithm and the ends of its interval under their columns' names.

    Times and ratios are positive and their disturbances multiply, so means are taken of logarithms (Fleming & Wallace,
    1986). A single process has no interval: both ends are NaN.
    """
    ends = (estimate.mean, *estimate.interval())
    return {column: float(np.exp(end)) for column, end in zip((name, f"{name}_low", f"{name}_high"), ends, strict=True)}


def times(mine: pd.DataFrame) -> dict[str, float]:
    """Seconds per step of each mode that a case's rounds have, and minor page faults per step."""
    columns: dict[str, float] = {}
    for mode, rounds in mine.groupby("mode"):
        medians = rounds.groupby("pass")["seconds_per_step"].median()
        estimate = Estimate.of(np.log(medians.to_numpy()))
        columns |= with_interval("seconds_per_step" if mode == "throughput" else f"{mode}_seconds_per_step", estimate)
        columns |= {"relative_error": estimate.error} if mode == "throughput" else {}
    throughput = mine[mine["mode"] == "throughput"]
    steps = throughput["steps"].sum()
    return columns | {f"{name}_per_step": float(throughput[name].sum() / steps) for name in COUNTERS}


def worst_error(mine: pd.DataFrame, opens: Sequence[Open]) -> float:
    """The largest error of a case's proofs and rounds, as a share of what rounding may cause; NaN for a control."""
    proofs = [record["errors"]["share"] for record in opens if record["errors"]]
    rounds = mine.loc[mine["mode"] == "throughput", "error_share"]
    return float(pd.Series([*rounds, *proofs], dtype=float).max())


def undisturbed(processes: Sequence[NDArray[np.float64]]) -> float:
    """Log seconds that a step takes when nothing disturbs it, from the seconds of single steps, an array a process: their 2nd
    percentile in each process, averaged over the quicker half of the processes.

    On a machine with neighbours a step has two speeds that change every few milliseconds. A round averages over both; single
    steps separate them. A process that was disturbed all the time is in the slower half. The mean of the others keeps what
    differs between processes, which the least of all would not. Nothing is removed: all of this are order statistics.
    """
    logs = np.sort(np.log([np.percentile(steps, LOW) for steps in processes]))
    return float(logs[: max(1, len(logs) // 2)].mean())


@dataclass(frozen=True)
class Replicates:
    """A run's undisturbed time, as a logarithm, from all of its processes, and without each of them in turn."""

    whole: float
    without: NDArray[np.float64]  # (processes,) in the order of the passes

    @classmethod
    def of(cls, log_seconds: Callable[[Sequence[int]], float], passes: Sequence[int]) -> Replicates:
        """`log_seconds` of these passes, and of all but one of them."""
        others = [[number for number in passes if number != out] or passes for out in passes]
        return cls(log_seconds(passes), np.array([log_seconds(some) for some in others]))

    @classmethod
    def of_singles(cls, singles: Singles, passes: Sequence[int]) -> Replicates:
        """Of the single steps of these passes."""
        return cls.of(lambda some: undisturbed([singles[number] for number in some]), passes)

    def __sub__(self, other: Replicates) -> Replicates:
        return Replicates(self.whole - other.whole, self.without - other.without)

    @property
    def estimate(self) -> Estimate:
        """With the jackknife's standard error, a process left out at a time (Efron & Stein, *The Jackknife Estimate of
        Variance*, 1981), so that what differs between processes is in it."""
        n = len(self.without)
        squares = float(np.sum((self.without - self.without.mean()) ** 2)) if n > 1 else math.inf
        return Estimate(self.whole, math.sqrt(squares * max(n - 1, 1) / n), max(n - 1, 1))


def undisturbed_time(singles: Singles) -> dict[str, float]:
    """The columns of the undisturbed time of single steps."""
    estimate = Replicates.of_singles(singles, [*singles]).estimate
    return with_interval("undisturbed_seconds_per_step", estimate) | {"relative_error": estimate.error}


def log_ratio(case: str, baseline: str, logs: pd.DataFrame, singly: Mapping[str, Singles]) -> Estimate | None:
    """Of undisturbed single steps over the passes that both have, where both are in `singly`; else of the rounds within each
    block, with their median per process. None without a block that has both.

    `logs` has the log seconds per step of the throughput rounds: a row per pass and block, a column per case."""
    if case in singly and baseline in singly:
        passes = [number for number in singly[case] if number in singly[baseline]]
        mine, base = (Replicates.of_singles(singly[name], passes) for name in (case, baseline))
        return (mine - base).estimate
    if baseline not in logs:
        return None
    processes = (logs[case] - logs[baseline]).dropna().groupby("pass").median().to_numpy()
    return Estimate.of(processes) if len(processes) else None


def with_bounds(table: pd.DataFrame) -> pd.DataFrame:
    """Fills in a summary's columns of rates and bounds.

    `table` also has `flops` and `bytes` of each row's step, and `steps_per_call`. Where a peak of arithmetic was measured, a
    bound is the larger of operations over the peak's rate and bytes over that of the peak of traffic, a thread's rate times the
    threads (the roofline of Williams, Waterman & Patterson, 2009). Else it is the fastest that the run saw any step of the same
    work do. The time of a call that does nothing is added, divided among the steps of a call.
    """
    flops, moved, peak = table["flops"].astype(float), table["bytes"].astype(float), table["kind"] == PEAK
    own = table["undisturbed_seconds_per_step"].astype(float).fillna(table["seconds_per_step"].astype(float))
    cores = table["threads"].where(peak, 1)
    seen = table.assign(own=own, flop=flops / own * cores, byte=moved / own * cores)
    floors = seen[seen["kind"] == CONTROL].groupby(["device", "threads"])["own"].min().to_dict()
    places = dict(iter(seen.groupby(["device", "dtype", "threads"])))
    bounds = [_bound(row, places, floors) for row in seen.to_dict("records")]
    found = pd.DataFrame(bounds, table.index, ["bound_seconds_per_step", "bound_by"])
    share = found["bound_seconds_per_step"] / own
    return table.assign(flop_per_second=(flops / own).where(flops > 0), bound_share=share, **found)


def _bound(row: Mapping[Any, Any], places: Mapping[Any, pd.DataFrame], floors: Mapping[Any, float]) -> tuple[float, str | None]:
    """Seconds per step and what they follow from; NaN and None of a control or without a time."""
    if row["kind"] in FIXED_WORK or not math.isfinite(row["own"]):
        return math.nan, None
    here = places[row["device"], row["dtype"], row["threads"]]
    peaks, steps = here[here["kind"] == PEAK], here[~here["kind"].isin(FIXED_WORK)]
    added = floors.get((row["device"], row["threads"]), 0.0) / row["steps_per_call"]
    operations, traffic = peaks["flop"].max(), peaks["byte"].max()
    if operations > 0:
        bounds = [row["flops"] / operations]
        if traffic > 0 and row["bytes"] >= SWEEP:
            bounds.append(row["bytes"] / traffic)
        return max(bounds) + added, MEASURED
    rate = steps["flop"].max()
    same = steps[(steps[["flops", "bytes"]] == [row["flops"], row["bytes"]]).all(axis=1)]
    bound = row["flops"] / rate + added if rate > 0 else added
    return min(bound, float(same["own"].min())), SEEN
