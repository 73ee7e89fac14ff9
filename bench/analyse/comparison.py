"""Compares stored runs, relative to the yardsticks that all of them measured.

What is not comparable is said, and no difference is called without knowing how much one run of unchanged code differs from
the next.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.analyse import reading
from bench.analyse.between_runs import KEY, QUIET, UNDISTURBED, Key, Runs, difference
from bench.analyse.verdicts import FASTER, MARGIN, SLOWER, UNDECIDED, more_data, verdicts
from bench.errors import ExitCode, UsageError
from bench.schema.case import CASE_COLUMNS, GUARD, SIDE, TWIN, Case, is_control

WEATHER = 0.10
"""Yardsticks that changed by more than this make a comparison unproven: the machine was another one."""
MANY = 50
"""So many runs more are no advice."""
INSTRUCTIONS = "instructions_per_step"
CAMPAIGN = "campaign.csv"
"""In a machine's folder of results: many runs of unchanged code, which tell how much one run differs from the next."""
COLUMNS = [
    *CASE_COLUMNS, "verdict", "reason", "ratio", "ratio_low", "ratio_high", "p", "raw_ratio",
    "base_seconds_per_step", "head_seconds_per_step", "base_runs", "head_runs", "yardsticks", SIDE, "provisional",
    "base_instructions_per_step", "head_instructions_per_step",
]  # fmt: skip
Paths = str | Path | Sequence[str | Path]


@dataclass(frozen=True)
class Comparison:
    """A row per case, and why the whole proves less than it seems to."""

    table: pd.DataFrame
    margin: float
    doubts: list[str]
    lost: list[str]
    """One sentence for every row that has a time in base and not in every run of head: it cannot be vouched for."""
    unjudged: list[str]
    """The rows that have times on both sides and could not be judged, whatever their times are."""
    left_out: list[str]
    """One sentence for every file that could not be used."""

    @property
    def geometric_mean(self) -> float:
        """Of the ratios of all rows that have one; NaN if none has."""
        logs = np.log(self.table["ratio"].dropna().astype(float))
        return float(np.exp(logs.mean())) if len(logs) else math.nan

    def outcome(self, slower: float | None = None) -> tuple[list[str], ExitCode]:
        """What there is to say, and USAGE if a file was left out, else UNPROVEN, or WRONG for what a gate has to stop.

        A gate (`slower`: the share from which on a SLOWER row fails) also stops what head lost, and is itself unproven if a
        row could not be judged at all.
        """
        sentences = list(self.left_out)
        if slower is None:
            return sentences, ExitCode.USAGE if sentences else ExitCode.UNPROVEN if self.doubts else ExitCode.FINE
        rows = self.table[(self.table["verdict"] == SLOWER) & (self.table["ratio"] >= 1 + slower)]
        stopped = [f"{_name(row)} is SLOWER: {row['ratio']:.3f} times base." for row in rows.to_dict("records")]
        open_ = [f"{name} could not be judged, so nothing is proven; the table says why." for name in self.unjudged]
        sentences += [*stopped, *self.lost, *open_]
        proven = not self.doubts and not self.unjudged
        if self.left_out:
            return sentences, ExitCode.USAGE
        if not proven:
            return sentences, ExitCode.UNPROVEN
        return sentences, ExitCode.WRONG if stopped or self.lost else ExitCode.FINE


def compare(
    base: Paths, head: Paths, campaign: Paths = (), results: str | Path = "results", margin: float = MARGIN
) -> pd.DataFrame:
    """A row per case with its verdict, as `Comparison.table`; why they prove less than it seems is in `attrs["doubts"]`."""
    comparison = of_files(base, head, campaign, results, margin)
    limits = ("doubts", "lost", "unjudged", "left_out", "margin")
    comparison.table.attrs.update({name: getattr(comparison, name) for name in limits})
    return comparison.table


def of_files(
    base: Paths, head: Paths, campaign: Paths = (), results: str | Path = "results", margin: float = MARGIN
) -> Comparison:
    """Compares the runs of `base` with those of `head`; several runs a side are pooled, each counting as one.

    `campaign` holds further runs of unchanged code on the same machine; by default those kept in `results` for it. Steps
    that differ by less than `margin`, a share, count as equal.
    Ratios are head over base: below 1, head is faster. Raises `UsageError` if a side holds nothing that can be read.
    """
    read = [reading.read(_several(paths)) for paths in (base, head)]
    left_out = [sentence for rows in read for sentence in rows.left_out]
    if twice := sorted({*read[0].table["run"]} & {*read[1].table["run"]}):
        raise UsageError(f"{twice[0]}: stands on both sides; a run is compared with others, so leave it out of one.")
    machines = dict.fromkeys(name for rows in read for name in rows.table["machine"] if name)
    kept = [path for name in machines if (path := Path(results) / name / CAMPAIGN).exists()]
    calm = None
    if paths := _several(campaign) or kept:
        try:
            further = reading.read(paths)
            calm, left_out = further.table, left_out + further.left_out
        except UsageError as error:
            left_out.append(str(error))
    return replace(judge(read[0].table, read[1].table, calm, margin), left_out=left_out)


def judge(base: pd.DataFrame, head: pd.DataFrame, campaign: pd.DataFrame | None = None, margin: float = MARGIN) -> Comparison:
    """The same from rows as `reading.read` returns them. A run that is being judged is no part of its campaign."""
    singly = all(_singly(side[side["status"] == "ok"]).all() for side in (base, head))
    time = UNDISTURBED if singly else QUIET
    sides = [Runs(base, time), Runs(head, time)]
    others = None
    if campaign is not None:
        others = Runs(campaign[~campaign["run"].isin({*base["run"], *head["run"]}) & (_singly(campaign) | (not singly))], time)
    keys = dict.fromkeys(itertools.chain(*(side.cases for side in sides)))
    rows = [_row(key, sides, others) for key in keys if not is_control(_kind(key, sides))]
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
    return Comparison(pd.DataFrame(rows).reindex(columns=COLUMNS), margin, [*_doubts(sides)], lost, unjudged, [])


def _singly(table: pd.DataFrame) -> pd.Series[bool]:
    """Of which rows single steps were timed."""
    return table[UNDISTURBED].notna() if UNDISTURBED in table else pd.Series(False, table.index)


def _undecided(row: dict[str, Any], margin: float, rows: int) -> str:
    """Why, and what would decide it."""
    runs = max(row["base_runs"], row["head_runs"])
    more = runs * (more_data(row["estimate"], margin, rows) - 1)
    would = f"about {max(1, math.ceil(more))} more runs a side would decide" if more < MANY else "more runs will hardly decide"
    return f"the interval neither leaves 1 for good nor stays within ±{margin:.1%}; {would}"


def _name(row: dict[Any, Any]) -> str:
    return Case.of_row(row).label


def _several(paths: Paths) -> list[str | Path]:
    return [paths] if isinstance(paths, str | Path) else [*paths]


def _kind(key: Key, sides: Sequence[Runs]) -> str:
    return str(next(side.cases[key]["kind"].iloc[0] for side in sides if key in side.cases))


def _row(key: Key, sides: Sequence[Runs], campaign: Runs | None) -> dict[str, Any]:
    """A case's times, ratio and the reasons that a reader has to know; its verdict comes with those of all rows."""
    rows = [side.ok_rows(key) for side in sides]
    row: dict[str, Any] = {**dict(zip(KEY, key, strict=True)), "verdict": "", "estimate": None}
    row["reasons"] = [*_absences(key, "base", sides[0], rows[0]), *_absences(key, "head", sides[1], rows[1])]
    row["lost"] = len(rows[1]) < len(sides[1].runs)
    for name, of_side in zip(("base", "head"), rows, strict=True):
        row[f"{name}_runs"] = len(of_side)
        if len(of_side):
            row[f"{name}_seconds_per_step"] = float(np.exp(np.log(of_side["seconds_per_step"]).mean()))
            row[f"{name}_{INSTRUCTIONS}"] = float(of_side[INSTRUCTIONS].mean()) if INSTRUCTIONS in of_side else math.nan
    if not all(map(len, rows)):
        return row
    row["raw_ratio"] = row["head_seconds_per_step"] / row["base_seconds_per_step"]
    row["reasons"] += _differences(rows)
    if why_not := _why_not_judged(rows):
        row["reasons"].append(why_not)
        return row | {"verdict": UNDECIDED}
    estimate, workloads, notes, row["provisional"] = difference(key, sides, rows, campaign)
    row["estimate"] = estimate
    row["yardsticks"] = " ".join(f"{name}:{1 / len(workloads):.2f}" for name in workloads)
    row["reasons"] += notes
    row["ratio"] = math.exp(estimate.mean)
    row["ratio_low"], row["ratio_high"] = map(math.exp, estimate.interval())
    return row


def _absences(key: Key, name: str, side: Runs, ok_rows: pd.DataFrame) -> Iterator[str]:
    """Why a case has no time in some runs of a side."""
    known = side.cases.get(key, ok_rows)
    for row in known[known["status"] != "ok"].to_dict("records")[:1]:
        yield f"{row['status']} in {name}: {row['reason']}"
    if absent := len(side.runs) - len(known):
        yield f"not in {name}" if absent == len(side.runs) else f"not in {absent} runs of {name}"


def _why_not_judged(rows: Sequence[pd.DataFrame]) -> str | None:
    """None, or why the times of both sides are shown and not judged."""
    machines = {machine for of_side in rows for machine in of_side["machine"]}
    if not all(of_side["replicated"].all() for of_side in rows):
        return "pytest-benchmark's JSON holds one process, so nothing tells how processes or runs differ"
    if len(machines) > 1 or "" in machines:
        return f"times of {'different' if len(machines) > 1 else 'unknown'} machines are shown, not judged"
    if len({bool(singly) for of_side in rows for singly in _singly(of_side)}) > 1:
        return "only one side tells of single steps: give its journal or summary.csv, or measure an older run again"
    if any(of_side[QUIET].isna().any() for of_side in rows):
        return "a table was written before runs could be compared; run `python -m bench summary` on its run"
    return None


def _differences(rows: Sequence[pd.DataFrame]) -> list[str]:
    """What else differs between the sides than what is being compared."""
    names = {
        "source_hash": "the step's source", "versions": "libraries", "python": "Python", "machine": "the machine",
        "kernels": "the choice of kernels", "allocator": "the allocator", "steps_per_round": "the steps a round",
        "rounds": "the number of rounds",
    }  # fmt: skip
    sentences = []
    for column, name in names.items():
        base, head = (sorted({str(value) or "unknown" for value in of_side[column]}) for of_side in rows)
        if base != head:
            text = "" if column == "source_hash" else f": {', '.join(base)} → {', '.join(head)}"
            sentences.append(f"{name} differ{'' if name == 'libraries' else 's'}{text}")
    return sentences


def _doubts(sides: Sequence[Runs]) -> Iterator[str]:
    """What the controls say: if they changed, nothing else can be believed to have."""
    for name, side in zip(("base", "head"), sides, strict=True):
        twins = side.table[(side.table["kind"] == TWIN) & side.table["verdict"].isin([FASTER, SLOWER])]
        for run in dict.fromkeys(twins["run"]):
            yield f"UNPROVEN: in run {run} of {name} the twin differs from its baseline; measure it again."
    before, after = (_yardsticks(side) for side in sides)
    for key in before.index.intersection(after.index):
        if not sides[0].same_work(sides[1], key):
            continue  # another library or source: other work, which takes another time
        change = math.exp(after[key] - before[key])
        if math.isfinite(change) and not 1 / (1 + WEATHER) <= change <= 1 + WEATHER:
            device, threads, backend = key
            yield (
                f"UNPROVEN: the yardstick {backend}[{device}, threads {threads}], fixed work, takes {change:.2f} times as long "
                "in head; the machine was not the same, so measure both sides again."
            )


def _yardsticks(side: Runs) -> pd.Series[float]:
    """Mean log seconds of each yardstick over the runs of a side."""
    rows = side.table[(side.table["kind"] == GUARD) & (side.table["status"] == "ok")]
    logs = pd.Series(np.log(rows[side.time].astype(float)), index=rows.index)
    return logs.groupby([rows["device"], rows["threads"], rows["backend"]]).mean()
