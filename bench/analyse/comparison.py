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

from bench.analyse import history as stored_runs
from bench.analyse import reading
from bench.analyse.between_runs import KEY, Spread, difference, learn, prepared
from bench.analyse.verdicts import FASTER, MARGIN, SLOWER, UNDECIDED, more_data, verdicts
from bench.errors import ExitCode, UsageError
from bench.schema.case import CASE_COLUMNS, PEAK, SIDE, TWIN, YARDSTICK, Case, is_control

MANY = 50
"""So many more runs are not worth advising."""
COLUMNS = [
    *CASE_COLUMNS, "verdict", "reason", "ratio", "ratio_low", "ratio_high", "p",
    "base_seconds_per_step", "head_seconds_per_step", "base_runs", "head_runs", SIDE, "provisional",
]  # fmt: skip
SETTINGS = {
    "source_hash": "the step's source", "versions": "libraries", "python": "Python", "machine": "the machine",
    "kernels": "the choice of kernels", "allocator": "the allocator", "steps_per_round": "the steps a round",
    "rounds": "the number of rounds",
}  # fmt: skip
PROVISIONAL = (
    "provisional: fewer than three stored runs of this machine measured this alike, so how much its runs differ is taken "
    "from other machines"
)
UNKNOWN = "how much runs of this machine differ is unknown: store three of one code, or give several runs a side"
SETS_DIFFER = "base and head measured different sets of cases, so the interval holds what that changes"
NO_GUARD = "no guard did the same work on both sides, so a change of the machine's clock would not be seen"
Paths = str | Path | Sequence[str | Path]
Row = dict[str, Any]


@dataclass(frozen=True)
class Comparison:
    """A row per case, and what limits what they prove."""

    table: pd.DataFrame
    margin: float
    doubts: list[str]
    lost: list[str]
    """One sentence for every row that has a time in base and not in every run of head."""
    unjudged: list[str]
    """The rows that have times on both sides and could not be judged, whatever their times are."""
    left_out: list[str] = field(default_factory=list)
    """One sentence for every file of base or head that could not be used."""
    ignored: list[str] = field(default_factory=list)
    """One sentence for every stored run that could not be used as history."""

    @property
    def geometric_mean(self) -> float:
        """Of the ratios of all rows that have one; NaN if none has."""
        logs = np.log(self.table["ratio"].dropna().astype(float))
        return float(np.exp(logs.mean())) if len(logs) else math.nan

    def outcome(self, slower: float | None = None) -> tuple[list[str], ExitCode]:
        """Sentences to print, and USAGE if a file was left out, else UNPROVEN, or WRONG for what a gate has to stop.

        A gate (`slower`: the share from which on a SLOWER row fails) also stops rows that head lost, and is itself unproven
        if a row could not be judged.
        """
        stopped, open_ = [], []
        if slower is not None:
            rows = self.table[(self.table["verdict"] == SLOWER) & (self.table["ratio"] >= 1 + slower)]
            stopped = [f"{_name(row)} is SLOWER: {row['ratio']:.3f} times base." for row in rows.to_dict("records")]
            stopped += self.lost
            open_ = [f"{name} could not be judged, so nothing is proven; the table says why." for name in self.unjudged]
        sentences = [*self.left_out, *stopped, *open_]
        if self.left_out:
            return sentences, ExitCode.USAGE
        if self.doubts or open_:
            return sentences, ExitCode.UNPROVEN
        return sentences, ExitCode.WRONG if stopped else ExitCode.FINE


def compare(
    base: Paths, head: Paths, results: str | Path = "results", margin: float = MARGIN
) -> pd.DataFrame:
    """`Comparison.table` of `of_files`; the other fields of the comparison are in its `attrs`."""
    comparison = of_files(base, head, results, margin)
    names = ("doubts", "lost", "unjudged", "left_out", "ignored", "margin")
    comparison.table.attrs.update({name: getattr(comparison, name) for name in names})
    return comparison.table


def of_files(
    base: Paths, head: Paths, results: str | Path = "results", margin: float = MARGIN
) -> Comparison:
    """Compares the runs of `base` with those of `head`; several runs a side are pooled, each counting as one.

    The runs that `results` holds of this machine show how much its runs differ. Steps that differ by less than `margin`, a
    share, count as equal. Ratios are head over base: below 1, head is faster. Raises `UsageError` if a side holds nothing that
    can be read.
    """
    sides = [reading.read([paths] if isinstance(paths, str | Path) else [*paths]) for paths in (base, head)]
    if twice := sorted({*sides[0].table["run"]} & {*sides[1].table["run"]}):
        raise UsageError(f"{twice[0]}: stands on both sides; a run is compared with others, so leave it out of one.")
    machines = dict.fromkeys(name for side in sides for name in side.table["machine"] if name)
    stored = stored_runs.stored(machines, results)
    compared = judge(sides[0].table, sides[1].table, stored.table if stored else None, margin)
    left_out = [sentence for side in sides for sentence in side.left_out]
    return replace(compared, left_out=left_out, ignored=stored.left_out if stored else [])


def judge(
    base: pd.DataFrame, head: pd.DataFrame, history: pd.DataFrame | None = None, margin: float = MARGIN
) -> Comparison:
    """Compares rows as `reading.read` returns them. Runs of base and head that `history` holds as well are left out of it."""
    if history is None:
        history = base.iloc[:0]
    history = history[(history["status"] == "ok") & ~history["run"].isin({*base["run"], *head["run"]})]
    sides = prepared(base, head, history)
    rows = _rows(sides)
    judged = [row for row in rows if row["estimate"]]
    for row, (verdict, p) in zip(judged, verdicts([row["estimate"] for row in judged], margin), strict=True):
        row |= {"verdict": verdict, "p": p}
        if verdict == UNDECIDED and not math.isinf(row["estimate"].error):
            row["reasons"].append(_undecided(row, margin, len(judged)))
    for row in rows:
        row["reason"] = "; ".join(row["reasons"])
    both = [row for row in rows if row["base_runs"] and row["head_runs"]]
    unjudged = [_name(row) for row in both if not row["estimate"] or math.isinf(row["estimate"].error)]
    lost = [f"{_name(row)} lacks a time in head: {row['reason']}." for row in rows if row["base_runs"] and row["lost"]]
    doubts = [*_twins(sides), *_moved(_guards(sides), margin)]
    return Comparison(pd.DataFrame(rows).reindex(columns=COLUMNS), margin, doubts, lost, unjudged)


def _rows(tables: Sequence[pd.DataFrame]) -> list[Row]:
    """A row for each way of base and head: times, estimate and reasons; verdicts come with those of all rows."""
    by_case = [dict(iter(table.groupby(KEY, sort=False))) for table in tables]
    sides, nothing = tables[:2], tables[1].iloc[:0]
    by_set = {*sides[0]["set"]} != {*sides[1]["set"]}
    guarded = {(key[1], key[3]) for key in _guards(tables)}
    found: dict[Any, tuple[Row, list[pd.DataFrame], Spread]] = {}
    for key in dict.fromkeys((*by_case[0], *by_case[1])):
        known = [cases.get(key, nothing) for cases in by_case]
        if is_control(str(pd.concat(known[:2])["kind"].iloc[0])):
            continue
        timed = [rows[rows["status"] == "ok"] for rows in known]
        row = _described(key, sides, known, timed)
        spread = learn(timed[2], pd.concat(timed[:2]), by_set) if not row["verdict"] and all(map(len, timed[:2])) else Spread()
        found[key] = row, timed, spread
    for key, (row, timed, spread) in found.items():
        if row["verdict"] or not (row["base_runs"] and row["head_runs"]):
            continue
        here = [other for (_, device, *_), (_, _, other) in found.items() if device == key[1] and other.freedom]
        usual = sum(other.squares for other in here) / max(1, sum(other.freedom for other in here))
        estimate, row["provisional"] = difference(timed[:2], spread, usual, by_set)
        row |= {"estimate": estimate, "ratio_low": _exp(estimate.interval()[0]), "ratio_high": _exp(estimate.interval()[1])}
        unknown = UNKNOWN if math.isinf(estimate.error) else PROVISIONAL
        notes = {unknown: row["provisional"], SETS_DIFFER: by_set, NO_GUARD: (key[1], key[3]) not in guarded}
        row["reasons"] += [note for note, holds in notes.items() if holds]
    return [row for row, _, _ in found.values()]


def _described(
    key: Any, sides: Sequence[pd.DataFrame], known: Sequence[pd.DataFrame], timed: Sequence[pd.DataFrame]
) -> Row:
    """A case's times and their ratio; a verdict only where nothing else can be said of them."""
    row: Row = {**dict(zip(KEY, key, strict=True)), "verdict": "", "estimate": None, "reasons": []}
    for name, side, rows, ok in zip(("base", "head"), sides, known, timed, strict=False):
        row["reasons"] += _absences(name, side["run"].nunique(), rows)
        row[f"{name}_runs"] = len(ok)
        row[f"{name}_seconds_per_step"] = _exp(ok["log"].mean())
    row["lost"] = row["head_runs"] < sides[1]["run"].nunique()
    if row["base_runs"] and row["head_runs"]:
        row["ratio"] = row["head_seconds_per_step"] / row["base_seconds_per_step"]
        row["reasons"] += _differences(timed)
        if why_not := _why_not_judged(pd.concat(timed[:2])):
            row["reasons"].append(why_not)
            row["verdict"] = UNDECIDED
    return row


def _undecided(row: Row, margin: float, rows: int) -> str:
    """Why, and what would decide it."""
    runs = max(row["base_runs"], row["head_runs"])
    more = runs * (more_data(row["estimate"], margin, rows) - 1)
    would = f"about {max(1, math.ceil(more))} more runs a side would decide" if more < MANY else "more runs will hardly decide"
    return f"the interval neither leaves 1 for good nor stays within ±{margin:.1%}; {would}"


def _name(row: dict[Any, Any]) -> str:
    return Case.of_row(row).label


def _exp(log: float) -> float:
    return math.exp(log) if math.isfinite(log) else math.nan


def _absences(name: str, runs: int, rows: pd.DataFrame) -> Iterator[str]:
    """Why a case has no time in some runs of a side."""
    for row in rows[rows["status"] != "ok"].to_dict("records")[:1]:
        yield f"{row['status']} in {name}: {row['reason']}"
    if absent := runs - len(rows):
        yield f"not in {name}" if absent == runs else f"not in {absent} runs of {name}"


def _why_not_judged(rows: pd.DataFrame) -> str | None:
    """None, or why the times of both sides are shown and not judged."""
    machines = {*rows["machine"]}
    if not rows["replicated"].all():
        return "pytest-benchmark's JSON holds one process, so nothing tells how processes or runs differ"
    if len(machines) > 1 or "" in machines:
        return f"times of {'different' if len(machines) > 1 else 'unknown'} machines are shown, not judged"
    if rows["singly"].nunique() > 1:
        return "only one side has times of single steps: give the summary.csv or journal.jsonl of both"
    return None


def _differences(sides: Sequence[pd.DataFrame]) -> list[str]:
    """What else differs between base and head than what is compared."""
    sentences = []
    for column, name in SETTINGS.items():
        base, head = (sorted({str(value) or "unknown" for value in side[column]}) for side in sides[:2])
        if base != head:
            text = "" if column == "source_hash" else f": {', '.join(base)} → {', '.join(head)}"
            sentences.append(f"{name} differ{'' if name == 'libraries' else 's'}{text}")
    return sentences


def _twins(sides: Sequence[pd.DataFrame]) -> Iterator[str]:
    """Of each run whose A/A control found a difference between equal steps."""
    for name, side in zip(("base", "head"), sides, strict=False):
        twins = side[(side["kind"] == TWIN) & side["verdict"].isin([FASTER, SLOWER])]
        for run in dict.fromkeys(twins["run"]):
            yield f"UNPROVEN: in run {run} of {name} the twin differs from its baseline; measure it again."


def _guards(sides: Sequence[pd.DataFrame]) -> dict[Any, float]:
    """Each guard that did the same work on both sides → by how much its log time moved.

    Guards are controls that only compute, so their times follow the clock: calibration workloads and the peaks that count
    operations. A peak of memory traffic differs from run to run by more than the margin.
    """
    found = {}
    for side in sides[:2]:
        computes = (side["kind"] == YARDSTICK) | ((side["kind"] == PEAK) & (side["flop_per_second"] > 0))
        found[len(found)] = side[computes & (side["status"] == "ok")].groupby(KEY)
    base, head = found.values()
    moved = {}
    for key in base.groups.keys() & head.groups.keys():
        rows = [base.get_group(key), head.get_group(key)]
        work = pd.concat(rows)[["source_hash", "versions", "kernels", "singly"]].drop_duplicates()
        if len(work) == 1 and work["source_hash"].iloc[0]:
            moved[key] = float(rows[1]["log"].mean() - rows[0]["log"].mean())
    return moved


def _moved(guards: dict[Any, float], margin: float) -> Iterator[str]:
    """Of each guard that took more or less time in head by more than the margin."""
    for (backend, device, _, threads, *_), change in sorted(guards.items()):
        if abs(change) > math.log1p(margin):
            yield (
                f"UNPROVEN: the guard {backend}[{device}, threads {threads}], fixed work, takes {math.exp(change):.3f} times as "
                "long in head, so the machine's clock changed; measure both sides again."
            )
