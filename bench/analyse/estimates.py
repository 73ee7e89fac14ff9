"""From the rounds and the single steps of a case to its estimates.

The process is the unit: blocks within it are summarised by their median, and intervals come from the spread between
processes (Kalibera & Jones, *Rigorous Benchmarking in Reasonable Time*, 2013). No outlier is ever dropped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import bdtr

from bench.analyse.verdicts import CONFIDENCE, Estimate
from bench.record.frame import ERRORS, Singles, error_columns
from bench.schema.records import COUNTERS, CaseRecord, Open

PREFIXES = {"throughput": "", "latency": "latency_", "dispatch": "dispatch_", "device": "device_"}
"""Of the columns that hold a mode's seconds per step."""
LOW = 2
"""The percentile of a process's steps that no neighbour disturbs; chosen on one machine and judged on another."""
BREAK_EVEN = ["break_even_steps", "break_even_steps_low", "break_even_steps_high"]


def with_interval(name: str, estimate: Estimate) -> dict[str, float]:
    """An estimate of a logarithm and the ends of its interval under their columns' names.

    Times and ratios are positive and their disturbances multiply, so means are taken of logarithms (Fleming & Wallace,
    1986). A single process has no interval: both ends are NaN.
    """
    ends = (estimate.mean, *estimate.interval())
    return {column: float(np.exp(end)) for column, end in zip((name, f"{name}_low", f"{name}_high"), ends, strict=True)}


def times(mine: pd.DataFrame) -> dict[str, float]:
    """Seconds per step of each mode that a case's rounds have, and what its `COUNTERS` have per step."""
    columns: dict[str, float] = {}
    for mode, rounds in mine.groupby("mode"):
        medians = rounds.groupby("pass")["seconds_per_step"].median()
        estimate = Estimate.of(np.log(medians.to_numpy()))
        columns |= with_interval(f"{PREFIXES[str(mode)]}seconds_per_step", estimate)
        if mode == "throughput":
            columns["relative_error"] = estimate.error
    throughput = mine[mine["mode"] == "throughput"]
    steps = throughput["steps"].sum()
    return columns | {f"{name}_per_step": float(throughput[name].sum() / steps) for name in COUNTERS}


def worst_errors(case: CaseRecord, mine: pd.DataFrame, opens: Sequence[Open]) -> dict[str, float]:
    """The largest errors of a case's proofs and rounds; none of a control."""
    if not case["proven"]:
        return {}
    throughput = mine.loc[mine["mode"] == "throughput", ERRORS].to_dict("records")
    judged = pd.DataFrame([*throughput, *map(error_columns, opens)], columns=ERRORS).astype(float)
    return {name: float(judged[name].max()) for name in ERRORS}


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
    without: NDArray[np.float64]
    """(processes,) in the order of the passes."""

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


def log_blocks(rounds: pd.DataFrame) -> pd.DataFrame:
    """Log seconds per step of the throughput rounds: a row per pass and block, a column per case."""
    throughput = rounds[rounds["mode"] == "throughput"]
    seconds = throughput.pivot(index=["pass", "block"], columns="case", values="seconds_per_step")
    return pd.DataFrame(np.log(seconds))


def log_ratio(case: str, baseline: str, logs: pd.DataFrame, singly: Mapping[str, Singles]) -> Estimate | None:
    """Of undisturbed single steps over the passes that both have, where both are in `singly`; else of the rounds within each
    block, `logs`, with their median per process. None without a block that has both."""
    if case in singly and baseline in singly:
        passes = [number for number in singly[case] if number in singly[baseline]]
        mine, base = (Replicates.of_singles(singly[name], passes) for name in (case, baseline))
        return (mine - base).estimate
    if baseline not in logs:
        return None
    processes = (logs[case] - logs[baseline]).dropna().groupby("pass").median().to_numpy()
    return Estimate.of(processes) if len(processes) else None


def add_break_even(table: pd.DataFrame, opens: Sequence[Open], logs: pd.DataFrame) -> pd.DataFrame:
    """Fills in a summary's columns `BREAK_EVEN`; the table's index is the cases' keys, `logs` those of `log_blocks`.

    The step n from which on `first + (n - 1) · time` is at most the baseline's; NaN unless the whole interval of the ratio to
    the baseline is below 1, and where there are too few passes for an interval.
    """
    opened = pd.DataFrame(opens, columns=["case", "pass", "first_step_seconds"])
    starts = opened.drop_duplicates(["pass", "case"]).pivot(index="pass", columns="case", values="first_step_seconds")
    times = pd.DataFrame(np.exp(logs.groupby("pass").median()))
    pays = (table["ratio_high"].astype(float) < 1) & (table["baseline"] != table.index)
    found = {}
    for key, base in table.loc[pays, "baseline"].items():
        if {key, base} <= {*starts} & {*times}:
            later, gained = (starts[key] - starts[base]).dropna(), (times[base] - times[key]).dropna()
            found[key] = break_even(later.to_numpy(float), gained.to_numpy(float))
    filled = pd.DataFrame.from_dict(found, "index", columns=BREAK_EVEN, dtype=float).reindex(table.index)
    return table.assign(**{name: filled[name] for name in BREAK_EVEN})


def break_even(later: np.ndarray, gained: np.ndarray) -> tuple[float, float, float]:
    """The break-even step and its interval, from how many seconds later each process was ready and how many it gained a step.

    The median start divided by the mean gain. The median's interval is that of
    order statistics, without an assumption (Thompson 1936; Hahn & Meeker, *Statistical Intervals*, 1991), the mean's is
    Student's t; each at 97.5 %, so that both hold together with 95 % (Bonferroni). The upper end is infinite where the gain
    may be none; all are NaN where the mean gain is none, and below seven processes: no median of so few has such an interval.
    """

    def steps(later: float, gain: float) -> float:
        if later <= 0:
            return 1.0
        return 1.0 + math.ceil(later / gain) if gain > 0 else math.inf

    confidence = 1 - (1 - CONFIDENCE) / 2
    low, high = median_interval(later, confidence)
    gain = Estimate.of(gained)
    slow, quick = gain.interval(confidence)
    if math.isnan(low + slow) or gain.mean <= 0:
        return (math.nan,) * 3
    return steps(float(np.median(later)), gain.mean), steps(low, quick), steps(high, slow)


def median_interval(values: np.ndarray, confidence: float) -> tuple[float, float]:
    """The narrowest symmetric pair of order statistics that holds the median with this confidence; NaN where none does."""
    ordered = np.sort(values)
    below = np.arange(len(ordered) // 2)  # how many values are left out on either side
    enough = below[2 * bdtr(below, len(ordered), 0.5) <= 1 - confidence]
    return (float(ordered[enough[-1]]), float(ordered[-1 - enough[-1]])) if len(enough) else (math.nan, math.nan)
