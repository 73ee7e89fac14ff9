"""Compares the undisturbed times of stored runs, as they are.

A difference gets a verdict only where it is known how much runs of unchanged code differ.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.analyse import reading
from bench.analyse.between_runs import KEY, PARTS, SIDES, Spread, difference, differences, guards_moved, learn, prepared
from bench.analyse.estimates import with_interval
from bench.analyse.verdicts import FASTER, MARGIN, SLOWER, UNDECIDED, more_data, slower_by, verdicts
from bench.errors import ExitCode, UsageError
from bench.schema.case import CASE_COLUMNS, CONTROLS, SIDE, TWIN, Case

MANY = 50
"""So many more runs are not worth advising."""
COLUMNS = [
    *CASE_COLUMNS, "verdict", "reason", "ratio", "ratio_low", "ratio_high", "p",
    "base_seconds_per_step", "head_seconds_per_step", "base_runs", "head_runs", SIDE, "provisional", "name",
]  # fmt: skip
Paths = str | Path | Sequence[str | Path]
Row = dict[str, Any]


@dataclass(frozen=True)
class Comparison:
    """A row per case, and what limits what they prove, a sentence each."""

    table: pd.DataFrame
    margin: float
    doubts: list[str]
    lost: list[str]  # rows that have a time in base and not in every run of head
    unjudged: list[str]  # the names of rows that have times on both sides and could not be judged, whatever their times are
    left_out: list[str] = field(default_factory=list)  # files of base or head that could not be used
    ignored: list[str] = field(default_factory=list)  # stored runs that could not be used as history

    @property
    def geometric_mean(self) -> float:
        """Of the ratios of all rows that have one; NaN if none has."""
        return float(np.exp(np.log(self.table["ratio"].dropna().astype(float)).mean()))

    def outcome(self, slower: float | None = None) -> tuple[list[str], ExitCode]:
        """Sentences to print, and USAGE if a file was left out, else UNPROVEN, or WRONG for what a gate has to stop.

        A gate (`slower`: the share from which on a SLOWER row fails) also stops rows that head lost, and is itself unproven
        if a row could not be judged.
        """
        lost, unjudged = ([], []) if slower is None else (self.lost, self.unjudged)
        sentences = [f"{name} could not be judged, so nothing is proven; the table says why." for name in unjudged]
        code = ExitCode.WRONG if lost or (slower is not None and len(slower_by(self.table, slower))) else ExitCode.FINE
        code = ExitCode.USAGE if self.left_out else ExitCode.UNPROVEN if self.doubts or unjudged else code
        return [*self.left_out, *lost, *sentences], code


def compare(base: Paths, head: Paths, results: str | Path = "results", margin: float = MARGIN) -> pd.DataFrame:
    """`Comparison.table` of `of_files`; the other fields of the comparison are in its `attrs`."""
    comparison = of_files(base, head, results, margin)
    comparison.table.attrs.update({name: value for name, value in vars(comparison).items() if name != "table"})
    return comparison.table


def of_files(base: Paths, head: Paths, results: str | Path = "results", margin: float = MARGIN) -> Comparison:
    """Compares the runs of `base` with those of `head`; several runs a side are pooled, each counting as one.

    The runs that `results` holds of this machine show how much its runs differ. Steps that differ by less than `margin`, a
    share, count as equal. Ratios are head over base: below 1, head is faster. Raises `UsageError` if a side holds nothing that
    can be read.
    """
    sides = [reading.read([paths] if isinstance(paths, str | Path) else [*paths]) for paths in (base, head)]
    if twice := sorted({*sides[0].table["run"]} & {*sides[1].table["run"]}):
        raise UsageError(f"{twice[0]}: stands on both sides; a run is compared with others, so leave it out of one.")
    stored = reading.stored({name for side in sides for name in side.table["machine"] if name}, results)
    compared = judge(sides[0].table, sides[1].table, stored.table, margin)
    return replace(compared, left_out=[*sides[0].left_out, *sides[1].left_out], ignored=stored.left_out)


def judge(base: pd.DataFrame, head: pd.DataFrame, history: pd.DataFrame | None = None, margin: float = MARGIN) -> Comparison:
    """Compares rows as `reading.read` returns them. Runs of base and head that `history` holds as well are left out of it."""
    history = base.iloc[:0] if history is None else history
    history = history[(history["status"] == "ok") & ~history["run"].isin({*base["run"], *head["run"]})]
    parts = [rows.assign(part=part) for part, rows in zip(PARTS, (base, head, history), strict=True) if len(rows)]
    return judge_prepared(prepared(pd.concat(parts, ignore_index=True)), margin)


def judge_prepared(table: pd.DataFrame, margin: float = MARGIN) -> Comparison:
    """Compares rows as `prepared` returns them, each with its `part`: base, head or history."""
    base, head = (table[table["part"] == part] for part in SIDES)
    by_set, runs = {*base["set"]} != {*head["set"]}, [side["run"].nunique() for side in (base, head)]
    guards = guards_moved(table)
    doubts, guarded = [*_doubts(base, head, guards, margin)], {(device, threads) for _, device, _, threads, *_ in guards}
    cases = table[~table["kind"].isin(CONTROLS)].groupby(KEY, sort=False)
    rows = [_shown(key, own, runs) for key, own in cases if own["part"].isin(SIDES).any()]
    judged = [row for row in rows if row["verdict"] is None]
    for row in judged:
        row["spread"] = learn(row["history"], pd.concat(row["sides"]), by_set)
    for row in judged:
        others = [other["spread"] for other in judged if other is not row and other["device"] == row["device"]]
        row["estimate"], row["provisional"] = difference(row["sides"], row["spread"], sum(others, Spread()), by_set)
    for row, (verdict, p) in zip(judged, verdicts([row["estimate"] for row in judged], margin), strict=True):
        row |= with_interval("ratio", row["estimate"]) | {"p": p, "verdict": UNDECIDED if doubts else verdict}
        more = max(row["base_runs"], row["head_runs"]) * (more_data(row["estimate"], margin, len(judged)) - 1)
        guard = (row["device"], row["threads"]) in guarded
        row["reasons"] += _limits(row, verdict, margin, more, by_set, guard, bool(doubts))
    for row in rows:
        row |= {"reason": "; ".join(row["reasons"]), "name": Case.from_json(row).key}
    unjudged = [row["name"] for row in rows if "ratio" in row and not row.get("ratio_low", math.nan) > 0]
    lost = [row for row in rows if row["base_runs"] and row["head_runs"] < runs[1]]
    sentences = [f"{row['name']} lacks a time in head: {row['reason']}." for row in lost]
    return Comparison(pd.DataFrame(rows, columns=COLUMNS), margin, doubts, sentences, unjudged)


def _shown(key: Any, rows: pd.DataFrame, runs: Sequence[int]) -> Row:
    """A case's times in base and head, and `reasons` for what they lack and for how they differ; `sides` and `history` have
    its rows with a time.

    `verdict` is None if they can be judged, UNDECIDED if they are only shown, and empty if a side has none.
    """
    base, head, history = (rows[(rows["part"] == part) & (rows["status"] == "ok")] for part in PARTS)
    row: Row = {**dict(zip(KEY, key, strict=True)), "verdict": "", "reasons": [], "sides": [base, head], "history": history}
    for side, of, ok in zip(SIDES, runs, row["sides"], strict=True):
        known = rows[rows["part"] == side]
        failed = known[known["status"] != "ok"].to_dict("records")[:1]
        row["reasons"] += [f"{first['status']} in {side}: {first['reason']}" for first in failed]
        if absent := of - len(known):
            row["reasons"].append(f"not in {side}" if absent == of else f"not in {absent} runs of {side}")
        row[f"{side}_runs"] = len(ok)
        row[f"{side}_seconds_per_step"] = math.exp(ok["log"].mean()) if len(ok) else math.nan
    if len(base) and len(head):
        why_not = _why_not_judged(pd.concat([base, head]))
        row["ratio"] = row["head_seconds_per_step"] / row["base_seconds_per_step"]
        row["reasons"] += filter(None, [*differences(base, head), why_not])
        row["verdict"] = UNDECIDED if why_not else None
    return row


def _limits(row: Row, verdict: str, margin: float, more: float, by_set: bool, guard: bool, doubted: bool) -> Iterator[str]:
    """What limits a verdict, and what would decide a row: so many `more` runs a side, and none if their sets differ."""
    unknown = math.isinf(row["estimate"].error)
    if unknown:
        yield "how much runs of this machine differ is unknown: store three of one code, or give several runs a side"
    elif row["provisional"]:
        yield "provisional: fewer than three stored runs here measured this alike, so other machines say how much runs differ"
    if by_set:
        yield "base and head measured different sets of cases, which widens the interval (measure one set for a narrower one)"
    if not guard:
        yield "no guard did the same work on both sides, so a change of the machine's clock would not be seen"
    if doubted:
        yield "no verdict: the comparison is UNPROVEN"
    elif verdict == UNDECIDED and not unknown:
        yield f"the interval neither leaves 1 for good nor stays within ±{margin:.1%}"
        if not by_set:
            many = more >= MANY
            yield "more runs will hardly decide" if many else f"about {max(1, math.ceil(more))} more runs a side would decide"


def _why_not_judged(rows: pd.DataFrame) -> str:
    """Empty, or why the times of both sides are shown and not judged."""
    machines, problems = {*rows["machine"]}, {*rows["problem"]}
    if len(problems) > 1:
        return f"times of different problems are shown, not judged: {' and '.join(sorted(problems))}"
    if len(machines) > 1 or "" in machines:
        return f"times of {'different' if len(machines) > 1 else 'unknown'} machines are shown, not judged"
    return "only one side has undisturbed times of single steps" if rows["singly"].nunique() > 1 else ""


def _doubts(base: pd.DataFrame, head: pd.DataFrame, guards: dict[Any, float], margin: float) -> Iterator[str]:
    """Of each run whose A/A control found a difference between equal steps, and of each guard that took more or less time in
    head by more than the margin."""
    for name, side in zip(SIDES, (base, head), strict=True):
        twins = side[(side["kind"] == TWIN) & side["verdict"].isin([FASTER, SLOWER])]
        for run in dict.fromkeys(twins["run"]):
            yield f"UNPROVEN: in run {run} of {name} the twin differs from its baseline; measure it again."
    for (backend, device, _, threads, *_), change in sorted(guards.items()):
        if abs(change) > math.log1p(margin):
            yield (
                f"UNPROVEN: the guard {backend}[{device}, threads {threads}], which is fixed work, takes "
                f"{math.exp(change):.3f} times as long in head, so the machine's clock changed; measure both sides again."
            )
