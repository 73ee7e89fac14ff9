"""How much runs differ from each other: relative times of several runs, and the error of a difference between two sides.

The processes of one run are not independent: they share what the machine was like in that minute.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from bench.analyse.verdicts import Estimate
from bench.schema.case import CASE_COLUMNS, GUARD, SIDE, is_control

KEY = [*CASE_COLUMNS, SIDE]
QUIET, UNDISTURBED = "quiet_seconds_per_step", "undisturbed_seconds_per_step"
"""The columns that runs are compared by: older ones by the first, since their steps were not timed singly."""
ALIKE = ("machine", "kernels", "allocator", "steps_per_round", "processes", "rounds")
"""What a campaign's run has to share with the runs it is to speak for."""
ALONE = "how much one run of this machine differs from the next is unknown: give several runs a side, or a campaign"
UNLIKE = f"the campaign holds no two runs that were measured alike ({', '.join(ALIKE)}, yardsticks), so {ALONE}"
NO_WORKLOADS = "no yardstick is known to have done the same work on both sides, so the raw times stand alone"
PROVISIONAL = (
    "provisional: how much runs of this machine differ is known from other machines only; several runs a side, or a "
    "campaign, make it firm"
)
KAPPA, FLOOR, PRIOR_FREEDOM = 1.5, 0.003, 6
"""What is known of a machine that was never seen: a run's log time lies off by `KAPPA` times the standard error that its own
processes tell and by `FLOOR` beside, known as well as from so many degrees of freedom. docs/decisions says from where."""
Key = tuple[Hashable, ...]


def expected(within: float) -> float:
    """The variance of a run's log time on a machine never seen, from what its own processes predict."""
    return KAPPA**2 * within + FLOOR**2


def place_of(key: Key) -> Key:
    """Device and threads, which a case shares with its yardsticks."""
    return key[KEY.index("device")], key[KEY.index("threads")]


class Runs:
    """The rows of several runs, as `bench.analyse.reading.read` returns them; `time` is the column to compare them by."""

    def __init__(self, table: pd.DataFrame, time: str = QUIET) -> None:
        self.table, self.time = table, time
        self.runs = list(dict.fromkeys(table["run"]))
        self.cases = {key: rows.set_index("run") for key, rows in table.groupby(KEY, sort=False)}
        fixed = table[(table["kind"] == GUARD) & (table["status"] == "ok")]
        self.yardsticks = {
            place: rows.assign(log=np.log(rows[time])).pivot_table(index="run", columns="backend", values="log")
            for place, rows in fixed.groupby(["device", "threads"])
        }
        self.work = {
            key: set(zip(rows["source_hash"], rows["versions"], strict=True))
            for key, rows in fixed.groupby(["device", "threads", "backend"])
        }

    def ok_rows(self, key: Key) -> pd.DataFrame:
        rows = self.cases.get(key)
        return self.table.iloc[:0].set_index("run") if rows is None else rows[rows["status"] == "ok"]

    def same_work(self, other: Runs, yardstick: Key) -> bool:
        """Whether a yardstick (device, threads, backend) is known to have done the same in all runs of both."""
        work = self.work.get(yardstick, set()) | other.work.get(yardstick, set())
        return len(work) == 1 and ("", "") not in work

    def complete(self, place: Key, runs: pd.Index[str]) -> set[str]:
        """The yardsticks of a place that all of these runs have."""
        table = self.yardsticks.get(place)
        return set() if table is None else set(table.reindex(runs).dropna(axis=1).columns)

    def relative(self, rows: pd.DataFrame, place: Key, workloads: list[str]) -> np.ndarray:
        """A value per run: its log time, less the mean of the workloads' logs."""
        logs = np.log(rows[self.time].to_numpy(float))
        if workloads:
            logs = logs - self.yardsticks[place].loc[rows.index, workloads].to_numpy().mean(axis=1)
        return np.asarray(logs)


class Difference(NamedTuple):
    """Head minus base of one case's log time, the calibration workloads it is relative to, and what a reader has to know."""

    estimate: Estimate
    workloads: list[str]
    notes: list[str]
    provisional: bool = False
    """Whether nothing but other machines tells how much runs differ."""


def difference(key: Key, sides: Sequence[Runs], rows: Sequence[pd.DataFrame], campaign: Runs | None) -> Difference:
    """Of base and head, whose `rows` of the case are given.

    A run is a level above the process, so what is averaged and what is spread are runs. The spread is that of run means
    around the mean of their group, pooled over base, head and campaign; where single steps were timed also with what other
    machines tell of runs (a scaled inverse χ² prior: Smyth, *Linear Models and Empirical Bayes Methods*, 2004). It is never
    less than what the spread between the processes of the runs at hand predicts.
    """
    place = place_of(key)
    workloads = _shared_workloads(place, sides, rows, campaign)
    alike = _alike(campaign, key, workloads, rows[0]) if campaign else None
    groups = [side.relative(of_side, place, workloads) for side, of_side in zip(sides, rows, strict=True)]
    mean = float(groups[1].mean() - groups[0].mean())
    notes = [] if workloads else [NO_WORKLOADS]
    if campaign and alike is not None:
        groups.append(campaign.relative(alike, place, workloads))
    elif campaign and (widest := _widest(campaign, key, workloads, rows[0])) is not None:
        notes.append("the campaign does not hold this case, so its widest row at this device, dtype and shape stands in")
        groups.append(widest)
    within = _within(rows)
    seen = sum(len(group) - 1 for group in groups)
    known = PRIOR_FREEDOM if sides[0].time == UNDISTURBED and math.isfinite(within) else 0
    if not seen + known:
        return Difference(Estimate(mean, math.inf, 1), workloads, [*notes, UNLIKE if campaign else ALONE])
    prior = expected(within) if known else 0.0
    squares = sum(float(np.sum((group - group.mean()) ** 2)) for group in groups)
    variance = max((squares + known * prior) / (seen + known), within if math.isfinite(within) else 0.0)
    if not seen:
        notes.append(PROVISIONAL)
    error = math.sqrt(variance * (1 / len(rows[0]) + 1 / len(rows[1])))
    return Difference(Estimate(mean, error, seen + known), workloads, notes, provisional=not seen)


def _shared_workloads(place: Key, sides: Sequence[Runs], rows: Sequence[pd.DataFrame], campaign: Runs | None) -> list[str]:
    """The calibration workloads that did the same work in all runs of both sides, and if it has any of them in the campaign."""
    base, head = sides
    complete = base.complete(place, rows[0].index) & head.complete(place, rows[1].index)
    usable = {name for name in complete if base.same_work(head, (*place, name))}
    if campaign and usable.intersection(campaign.yardsticks.get(place, ())):  # an older one may lack the newer workloads
        unchanged = {name for name in campaign.yardsticks[place] if base.same_work(campaign, (*place, name))}
        usable = usable & unchanged if unchanged else usable
    return sorted(usable)


def _within(rows: Sequence[pd.DataFrame]) -> float:
    """The variance of a run that the runs' own processes predict; NaN where none knows its own, having one process."""
    errors = pd.concat(list(rows))["relative_error"]
    return float(errors[np.isfinite(errors)].pow(2).mean())


def _alike(campaign: Runs, key: Key, workloads: Sequence[str], like: pd.DataFrame) -> pd.DataFrame | None:
    """The campaign's rows of a case that were measured as `like` was, with all these workloads; None if under two."""
    rows = campaign.ok_rows(key)
    for name in ALIKE:
        rows = rows[rows[name].isin(like[name])]
    rows = rows[rows[campaign.time].notna()]
    if workloads:
        beside = campaign.yardsticks.get(place_of(key), pd.DataFrame())
        rows = rows[rows.index.isin(beside.reindex(columns=list(workloads)).dropna().index)]
    return rows if len(rows) > 1 else None


def _widest(campaign: Runs, key: Key, workloads: list[str], like: pd.DataFrame) -> np.ndarray | None:
    """Of the campaign's other cases at this place the one whose runs differ most, for a case that it does not hold."""
    groups: list[np.ndarray] = []
    for other, rows in campaign.cases.items():
        if other[1:] == key[1:] and not is_control(rows["kind"].iloc[0]):
            alike = _alike(campaign, other, workloads, like)
            if alike is not None:
                groups.append(campaign.relative(alike, place_of(key), workloads))
    return max(groups, key=lambda group: float(group.std())) if groups else None
