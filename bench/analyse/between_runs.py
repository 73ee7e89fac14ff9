"""How much runs differ from each other: relative times of several runs, and the error of a difference between two sides.

The processes of one run are not independent: they share what the machine was like in that minute.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from bench.analyse.relative import mix
from bench.analyse.verdicts import Estimate
from bench.schema.case import CASE_COLUMNS, SIDE, YARDSTICK, is_control

KEY = [*CASE_COLUMNS, SIDE]
QUIET = "quiet_seconds_per_step"
ALIKE = ("machine", "kernels", "allocator", "steps_per_round", "processes", "rounds")
"""What a campaign's run has to share with the runs it is to speak for."""
ALONE = "how much one run of this machine differs from the next is unknown: give several runs a side, or a campaign"
UNLIKE = f"the campaign holds no two runs that were measured alike ({', '.join(ALIKE)}, yardsticks), so {ALONE}"
LEARNED_FROM = 15
"""Runs of a campaign from which the yardsticks' weights are fitted between runs; with fewer, the runs' own are averaged."""
Key = tuple[Hashable, ...]


def place_of(key: Key) -> Key:
    """Device and threads, which a case shares with its yardsticks."""
    return key[KEY.index("device")], key[KEY.index("threads")]


class Runs:
    """The rows of several runs, as `bench.analyse.reading.read` returns them."""

    def __init__(self, table: pd.DataFrame) -> None:
        self.table = table
        self.runs = list(dict.fromkeys(table["run"]))
        self.cases = {key: rows.set_index("run") for key, rows in table.groupby(KEY, sort=False)}
        fixed = table[(table["kind"] == YARDSTICK) & (table["status"] == "ok")]
        self.yardsticks = {
            place: rows.assign(log=np.log(rows[QUIET])).pivot_table(index="run", columns="backend", values="log")
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

    def relative(self, rows: pd.DataFrame, place: Key, weights: dict[str, float]) -> np.ndarray:
        """A value per run: its log of the quiet seconds per step, less the weighted yardsticks'."""
        logs = np.log(rows[QUIET].to_numpy(float))
        if not weights:
            return np.asarray(logs)
        return np.asarray(logs - self.yardsticks[place].loc[rows.index, list(weights)].to_numpy() @ [*weights.values()])


class Difference(NamedTuple):
    """Head minus base of one case's log time, the weights of the calibration workloads, and what a reader has to know."""

    estimate: Estimate
    weights: dict[str, float]
    notes: list[str]


def difference(key: Key, sides: Sequence[Runs], rows: Sequence[pd.DataFrame], campaign: Runs | None) -> Difference:
    """Of base and head, whose `rows` of the case are given.

    A run is a level above the process, so what is averaged and what is spread are runs. The spread is that of run means
    around the mean of their group, pooled over base, head and campaign, and never less than what the spread between the
    processes of the runs at hand predicts.
    """
    place = place_of(key)
    workloads = _shared_workloads(place, sides, rows, campaign)
    alike = _alike(campaign, key, workloads, rows[0]) if campaign else None
    weights, fitted = _weights(place, workloads, rows, campaign, alike)
    groups = [side.relative(of_side, place, weights) for side, of_side in zip(sides, rows, strict=True)]
    mean = float(groups[1].mean() - groups[0].mean())
    notes = [] if weights else ["no yardstick is known to have done the same work on both sides, so the raw times stand alone"]
    if campaign and alike is not None:
        groups.append(campaign.relative(alike, place, weights))
    elif campaign and (widest := _widest(campaign, key, workloads, rows[0])) is not None:
        notes.append("the campaign does not hold this case, so its widest row at this device, dtype and shape stands in")
        groups.append(widest)
    freedom = sum(len(group) - 1 for group in groups) - fitted
    if freedom <= 0:
        return Difference(Estimate(mean, math.inf, 1), weights, [*notes, UNLIKE if campaign else ALONE])
    error = math.sqrt(_variance(groups, freedom, rows) * (1 / len(rows[0]) + 1 / len(rows[1])))
    return Difference(Estimate(mean, error, freedom), weights, notes)


def _shared_workloads(place: Key, sides: Sequence[Runs], rows: Sequence[pd.DataFrame], campaign: Runs | None) -> list[str]:
    """The calibration workloads that did the same work in all runs of both sides, and if it has any of them in the campaign."""
    base, head = sides
    complete = base.complete(place, rows[0].index) & head.complete(place, rows[1].index)
    usable = {name for name in complete if base.same_work(head, (*place, name))}
    if campaign and usable.intersection(campaign.yardsticks.get(place, ())):  # an older one may lack the newer workloads
        unchanged = {name for name in campaign.yardsticks[place] if base.same_work(campaign, (*place, name))}
        usable = usable & unchanged if unchanged else usable
    return sorted(usable)


def _weights(
    place: Key, workloads: list[str], rows: Sequence[pd.DataFrame], campaign: Runs | None, alike: pd.DataFrame | None
) -> tuple[dict[str, float], int]:
    """The weight of each workload, and the degrees of freedom that they took from the campaign."""
    if campaign and workloads and alike is not None and len(alike) >= LEARNED_FROM:
        logs = np.log(alike[QUIET].to_numpy(float))
        beside = campaign.yardsticks[place].loc[alike.index, workloads].to_numpy()
        return dict(zip(workloads, map(float, mix(logs, beside)), strict=True)), len(workloads) - 1
    return mean_weights([text for of_side in rows for text in of_side["yardsticks"]], workloads), 0


def _variance(groups: Sequence[np.ndarray], freedom: int, rows: Sequence[pd.DataFrame]) -> float:
    """Of one run: pooled over the groups, and at least what the runs' own processes predict."""
    between = sum(float(np.sum((group - group.mean()) ** 2)) for group in groups) / freedom
    errors = pd.concat(list(rows))["relative_error"]
    within = float(errors[np.isfinite(errors)].pow(2).mean())  # a run of one process does not know its own
    return max(between, within if math.isfinite(within) else 0.0)


def mean_weights(texts: Sequence[str], usable: Sequence[str]) -> dict[str, float]:
    """The mean of the runs' own weights, of the yardsticks that can be used, one in sum."""
    parsed = [dict(part.split(":") for part in text.split()) for text in texts if text]
    if not parsed or not usable:
        return {}
    weights = {name: sum(float(own.get(name, 0)) for own in parsed) for name in usable}
    total = sum(weights.values())
    return {name: weight / total if total else 1 / len(usable) for name, weight in weights.items()}


def _alike(campaign: Runs, key: Key, workloads: Sequence[str], like: pd.DataFrame) -> pd.DataFrame | None:
    """The campaign's rows of a case that were measured as `like` was, with all these workloads; None if under two."""
    rows = campaign.ok_rows(key)
    for name in ALIKE:
        rows = rows[rows[name].isin(like[name])]
    if workloads:
        beside = campaign.yardsticks.get(place_of(key), pd.DataFrame())
        rows = rows[rows.index.isin(beside.reindex(columns=list(workloads)).dropna().index)]
    return rows if len(rows) > 1 else None


def _widest(campaign: Runs, key: Key, workloads: Sequence[str], like: pd.DataFrame) -> np.ndarray | None:
    """Of the campaign's other cases at this place the one whose runs differ most, for a case that it does not hold."""
    groups: list[np.ndarray] = []
    for other, rows in campaign.cases.items():
        if other[1:] == key[1:] and not is_control(rows["kind"].iloc[0]):
            alike = _alike(campaign, other, workloads, like)
            if alike is not None:
                weights = mean_weights(list(alike["yardsticks"]), workloads)
                groups.append(campaign.relative(alike, place_of(key), weights))
    return max(groups, key=lambda group: float(group.std())) if groups else None
