"""How much runs differ from each other: relative times of several runs, and the error of a difference between two sides.

It must never take the processes of one run for independent: they share what the machine was like in that minute.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd

from bench.analyse.relative import mix
from bench.analyse.verdicts import Estimate
from bench.schema.case import CASE_COLUMNS, CONTROLS, SIDE, YARDSTICK

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

    def fine(self, key: Key) -> pd.DataFrame:
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


def difference(
    key: Key, sides: Sequence[Runs], fine: Sequence[pd.DataFrame], campaign: Runs | None
) -> tuple[Estimate, dict[str, float], list[str]]:
    """Head minus base of one case: the estimate, the yardsticks' weights, and what a reader has to know of it.

    A run is a level above the process, so what is averaged and what is spread are runs. The spread is that of run means
    around the mean of their group, pooled over base, head and campaign, and never less than what the spread between the
    processes of the runs at hand predicts.
    """
    told = []
    base, head = sides
    place = place_of(key)
    usable = base.complete(place, fine[0].index) & head.complete(place, fine[1].index)
    usable = {name for name in usable if base.same_work(head, (*place, name))}
    if campaign and usable & set(campaign.yardsticks.get(place, ())):  # an older campaign may lack the newer yardsticks
        usable &= {name for name in campaign.yardsticks[place] if base.same_work(campaign, (*place, name))} or usable
    names = sorted(usable)
    calm = _calm(campaign, key, names, fine[0]) if campaign else None
    weights = mean_weights([text for rows in fine for text in rows["yardsticks"]], names)
    fitted = 0
    if campaign and calm is not None and names and len(calm) >= LEARNED_FROM:
        logs, sticks = np.log(calm[QUIET].to_numpy(float)), campaign.yardsticks[place].loc[calm.index, names].to_numpy()
        weights = dict(zip(names, map(float, mix(logs, sticks)), strict=True))
        fitted = len(names) - 1  # degrees of freedom that the weights took from the campaign
    if not weights:
        told.append("no yardstick is known to have done the same work on both sides, so the raw times stand alone")
    groups = [side.relative(rows, place, weights) for side, rows in zip(sides, fine, strict=True)]
    mean = float(groups[1].mean() - groups[0].mean())
    if campaign and calm is not None:
        groups.append(campaign.relative(calm, place, weights))
    elif campaign and (widest := _widest(campaign, key, names, fine[0])) is not None:
        told.append("the campaign does not hold this case, so its widest row at this device, dtype and shape stands in")
        groups.append(widest)
    freedom = sum(len(group) - 1 for group in groups) - fitted
    if freedom <= 0:
        told.append(UNLIKE if campaign else ALONE)
        return Estimate(mean, math.inf, 1), weights, told
    between = sum(float(np.sum((group - group.mean()) ** 2)) for group in groups) / freedom
    errors = pd.concat(list(fine))["relative_error"]
    within = float(errors[np.isfinite(errors)].pow(2).mean())  # a run of one process does not know its own
    variance = max(between, within if math.isfinite(within) else 0.0)
    return Estimate(mean, math.sqrt(variance * (1 / len(fine[0]) + 1 / len(fine[1]))), freedom), weights, told


def mean_weights(texts: Sequence[str], usable: Sequence[str]) -> dict[str, float]:
    """The mean of the runs' own weights, of the yardsticks that can be used, one in sum."""
    parsed = [dict(part.split(":") for part in text.split()) for text in texts if text]
    if not parsed or not usable:
        return {}
    weights = {name: sum(float(one.get(name, 0)) for one in parsed) for name in usable}
    total = sum(weights.values())
    return {name: weight / total if total else 1 / len(usable) for name, weight in weights.items()}


def _calm(campaign: Runs, key: Key, usable: Sequence[str], like: pd.DataFrame) -> pd.DataFrame | None:
    """The campaign's rows of a case that were measured as `like` was, with all usable yardsticks; None if under two."""
    rows = campaign.fine(key)
    for name in ALIKE:
        rows = rows[rows[name].isin(like[name])]
    if usable:
        sticks = campaign.yardsticks.get(place_of(key), pd.DataFrame())
        rows = rows[rows.index.isin(sticks.reindex(columns=list(usable)).dropna().index)]
    return rows if len(rows) > 1 else None


def _widest(campaign: Runs, key: Key, usable: Sequence[str], like: pd.DataFrame) -> np.ndarray | None:
    """Of the campaign's other cases at this place the one whose runs differ most, for a case that it does not hold."""
    found: list[np.ndarray] = []
    for other, rows in campaign.cases.items():
        if other[1:] == key[1:] and rows["kind"].iloc[0] not in CONTROLS:
            calm = _calm(campaign, other, usable, like)
            if calm is not None:
                weights = mean_weights(list(calm["yardsticks"]), usable)
                found.append(campaign.relative(calm, place_of(key), weights))
    return max(found, key=lambda group: float(group.std())) if found else None
