"""Learns from stored runs, the history, how much runs of one machine differ; and lists what differs besides the steps.

The processes of one run are not independent, because they share what the machine was like in that minute. So the run is the
unit of statistics; between runs that measured different sets of cases, the set is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.analyse.verdicts import Estimate
from bench.schema.case import CASE_COLUMNS, GUARD, PEAK, SIDE

KEY = [*CASE_COLUMNS, SIDE]
SIDES = ["base", "head"]
PARTS = [*SIDES, "history"]
"""Values of the column `part` of a table that is compared."""
UNDISTURBED = "undisturbed_seconds_per_step"
SERIES = ["machine", "problem", "singly"]
"""Columns, besides `KEY`, whose values runs share where their times are judged: runs that share them are one series."""
ALIKE = [*SERIES, "source_hash", "versions", "python", "kernels", "steps_per_round"]
"""Columns that a stored run shares with base or head where it shows how much they differ."""
LENGTH = ["processes", "rounds"]
"""A stored run has no more of these than the runs that are compared: shorter runs differ more."""
LEAST = 3
"""Runs, or sets of cases, that a spread is learned from."""
KAPPA, FLOOR, PRIOR_FREEDOM = 1.5, 0.003, 6
"""The prior, from other machines: the standard error that a run's processes predict is too small by `KAPPA`, and runs differ
by `FLOOR` besides; known as well as from so many degrees of freedom. docs/decisions.md says from where."""
SETS = 0.01
"""Standard deviation of a log time over the sets of cases that are measured with it, where no history shows it; 0 to 1.4 %
for the steps of the stored runs."""
SETTINGS = {
    "versions": "", "python": "Python ", "machine": "machine ", "kernels": "environment ",
    "steps_per_round": "steps per round ", "rounds": "rounds ", "system": "", "libc": "", "commit": "commit ",
}  # fmt: skip
"""Columns that may explain a difference, and the text before their values; a table need not have all."""


def expected(within: float) -> float:
    """The prior variance of a run's log time, from the variance that its own processes predict."""
    return KAPPA**2 * within + FLOOR**2


def prepared(table: pd.DataFrame) -> pd.DataFrame:
    """The table with three more columns: `log`, that of the time to compare, NaN in a row that is not `ok`; `singly`, whether
    this is the undisturbed time of single steps; and `set`, a number for the set of cases that the row's run measured."""
    singly = table[UNDISTURBED].notna()
    time = table[UNDISTURBED].where(singly, table["seconds_per_step"]).where(table["status"] == "ok")
    members: dict[str, set[tuple[object, ...]]] = {}
    for run, *key in zip(*(table.loc[table["status"] != "unavailable", name] for name in ("run", *KEY)), strict=True):
        members.setdefault(run, set()).add(tuple(key))
    numbers: dict[frozenset[tuple[object, ...]], int] = {}
    sets = {run: numbers.setdefault(frozenset(keys), len(numbers)) for run, keys in members.items()}
    return table.assign(log=np.log(time.astype(float)), singly=singly, set=table["run"].map(sets))


@dataclass(frozen=True)
class Spread:
    """Sum of squares of log times around the means of their groups, and its degrees of freedom."""

    squares: float = 0.0
    freedom: int = 0

    def __add__(self, other: Spread) -> Spread:
        return Spread(self.squares + other.squares, self.freedom + other.freedom)

    @classmethod
    def of(cls, groups: Sequence[np.ndarray]) -> Spread:
        squares = sum(float(np.sum((group - group.mean()) ** 2)) for group in groups)
        return cls(squares, sum(len(group) - 1 for group in groups))


def units(rows: pd.DataFrame, by_set: bool) -> np.ndarray:
    """The log time of each run, or the mean over the runs of each set."""
    return (rows.groupby("set")["log"].mean() if by_set else rows["log"]).to_numpy(float)


def learn(history: pd.DataFrame, like: pd.DataFrame, by_set: bool) -> Spread:
    """Of the stored rows of a case that were measured as those of base and head, `like`; nothing from fewer than `LEAST`."""
    known = like.loc[like["source_hash"] != "", ALIKE].drop_duplicates()
    alike = history[(history[LENGTH] <= like[LENGTH].min()).all(axis=1)].merge(known, on=ALIKE)
    groups = alike.groupby(ALIKE if by_set else [*ALIKE, "set"])
    spread = Spread.of([group for _, rows in groups if len(group := units(rows, by_set)) >= LEAST])
    return spread if spread.freedom or by_set else learn(history, like, by_set=True)


def difference(sides: Sequence[pd.DataFrame], history: Spread, others: Spread, by_set: bool) -> tuple[Estimate, bool]:
    """Head minus base of a case's log time, and whether its error is provisional: learned from fewer than `LEAST` runs.

    The variance is that of history, base and head, together with a prior (scaled inverse χ²: Smyth, *Linear Models and
    Empirical Bayes Methods*, 2004): of a case with history `others`, the spread of the other cases there, and as far as this
    has fewer degrees of freedom, what is known of other machines. It is never less than what the processes of the runs
    predict. The error is infinite where nothing is known.
    """
    groups = [units(side, by_set) for side in sides]
    errors = pd.concat([side["relative_error"] for side in sides]).astype(float)
    within = float(errors[np.isfinite(errors)].pow(2).mean())
    seen = Spread.of(groups) + history
    prior, kept = Spread(), min(others.freedom, PRIOR_FREEDOM)
    if history.freedom and kept:
        prior = Spread(others.squares * (kept / others.freedom), kept)
    if sides[0]["singly"].all() and math.isfinite(within):
        missing = PRIOR_FREEDOM - prior.freedom
        prior += Spread(missing * (expected(within) + by_set * SETS**2), missing)
    estimate = Estimate(float(groups[1].mean() - groups[0].mean()), math.inf, 1)
    if freedom := seen.freedom + prior.freedom:
        variance = max((seen.squares + prior.squares) / freedom, within if math.isfinite(within) else 0.0)
        error = math.sqrt(variance * sum(1 / len(group) for group in groups))
        estimate = Estimate(estimate.mean, error, freedom)
    return estimate, seen.freedom < LEAST - 1


def differences(base: pd.DataFrame, head: pd.DataFrame) -> list[str]:
    """What else differs between base and head than what is compared: `torch 2.13.0 → 2.14.1`."""
    found = ["another source of the step"] if {*base["source_hash"]} != {*head["source_hash"]} else []
    for column, name in SETTINGS.items():
        values: dict[str, tuple[set[str], set[str]]] = {}
        for number, side in enumerate((base, head)):
            for part, value in (pair for text in side.get(column, ()) for pair in _values(column, str(text))):
                values.setdefault(f"{name}{part}", (set(), set()))[number].add(value)
        for what, texts in sorted(values.items()):
            old, new = (", ".join(sorted(each or {"none"})) for each in texts)
            found += [f"{what}{old} → {new}"] if old != new else []
    return found


def _values(column: str, text: str) -> list[tuple[str, str]]:
    """A column's value under an empty name; of `versions`, that of each library."""
    if column == "versions":
        return [(f"{library} ", version) for library, _, version in (pair.partition("==") for pair in text.split())]
    return [("", (re.sub(r"(?<=^\w{8})\w+", "", text) if column == "commit" else text) or "unknown")]


def guards_moved(table: pd.DataFrame) -> dict[Any, float]:
    """Key of each guard that did the same work in base and head → by how much its log time moved.

    Guards are controls that only compute, so that their times follow the clock: calibration workloads, and peaks that count
    operations. A peak of memory traffic moves with the neighbours, by 2 % in calm runs.
    """
    moved = {}
    for key, rows in table[table["kind"].isin([GUARD, PEAK]) & table["part"].isin(SIDES)].groupby(KEY, sort=False):
        work = rows[["source_hash", "versions", "kernels", "singly"]].drop_duplicates()
        if ((rows["kind"] == GUARD) | (rows["flop_per_second"] > 0)).all() and len(work) == 1 and work["source_hash"].iloc[0]:
            logs = rows.groupby("part")["log"].mean().reindex(SIDES)
            moved[key] = float(logs["head"] - logs["base"])
    return {key: change for key, change in moved.items() if math.isfinite(change)}
