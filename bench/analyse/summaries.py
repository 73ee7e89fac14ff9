"""A run and its summary, a row per case: computed from its journal alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.analyse.estimates import log_ratio, times, undisturbed_time, with_bounds, with_interval, worst_error
from bench.analyse.verdicts import FASTER, SLOWER, UNDECIDED, Estimate, more_data, slower_by, verdicts
from bench.errors import ExitCode
from bench.record import frame, journal
from bench.record.journal import Story
from bench.schema.case import SIDE, TWIN, Case, is_control, passes_of
from bench.schema.records import CaseRecord, Failure, MachineFacts, SettingsRecord
from bench.schema.summary import ONLY_OK, SUMMARY

Row = dict[str, Any]
FOR_BOUNDS = ("flops", "bytes", "steps_per_call")
"""Of a case's step, and no columns of the summary."""


@dataclass(frozen=True)
class Run:
    """A run, computed from its journal alone."""

    folder: Path
    story: journal.Story
    table: pd.DataFrame
    doubts: list[str]

    @classmethod
    def read(cls, path: str | Path) -> Run:
        """The run that a path names, of a folder of several the latest. Raises `UsageError`."""
        return cls.of(journal.read(frame.journals(path)[-1]))

    @classmethod
    def of(cls, story: journal.Story) -> Run:
        table = summarise(story)
        return cls(story.path.parent, story, table, doubts(story, table))

    def row(self, key: str) -> dict[str, Any]:
        """The summary row of a case as plain JSON values; None where there is no number."""
        row = self.table.astype(object).loc[key]  # astype turns NumPy's numbers into Python's
        return {str(name): None if pd.isna(value) else value for name, value in row.items()}

    def exit_code(self, fail_on: float | None = None) -> ExitCode:
        """WRONG if a step is wrong or failed, or one of a later side SLOWER by the share `fail_on`; UNPROVEN if that is."""
        if self.table["status"].isin(["wrong", "failed"]).any():
            return ExitCode.WRONG
        if fail_on is None:
            return ExitCode.FINE
        return ExitCode.UNPROVEN if self.doubts else ExitCode.WRONG if len(slower_by(self.later, fail_on)) else ExitCode.FINE

    @property
    def later(self) -> pd.DataFrame:
        """The rows of all sides but the first."""
        first = {Case.parse(key).side for key in self.table["baseline"].dropna().unique()}
        return self.table[~self.table["side"].isin(first)]


def table(run: str | Path = "results") -> pd.DataFrame:
    """The ways of the latest run at or below a path, fastest first, by the case's key: `way`, `step` (seconds; undisturbed
    where `undisturbed` says so), `ratio` with `low` and `high`, the ends of its 95 % interval, `verdict`, and `as_it_ran`,
    the mean of loops in seconds. Raises `UsageError`."""
    rows = Run.read(run).table
    rows = rows[(rows["status"] == "ok") & ~rows["kind"].map(is_control)]
    ran, undisturbed = rows["seconds_per_step"], rows["undisturbed_seconds_per_step"].astype(float)
    shown = {"way": rows["backend"], "step": undisturbed.fillna(ran), "undisturbed": undisturbed.notna()}
    shown |= {"ratio": rows["ratio"], "low": rows["ratio_low"], "high": rows["ratio_high"], "verdict": rows["verdict"]}
    return pd.DataFrame(shown | {"as_it_ran": ran}).sort_values("step")


def summarise(story: Story) -> pd.DataFrame:
    """One row per case, controls included, and per hole, with the columns `SUMMARY`; the index is the case's key.

    `status` says what a row's numbers are worth: `ok`, `incomplete` (planned passes are missing), or for `wrong`,
    `failed` and `unavailable`, which have none, `reason` says why.
    """
    header, rounds, failures, profiles = story.header, frame.samples(story), story.failures, story.profiles
    settings, singly, throughput = header["settings"], frame.singles(story), rounds[rounds["mode"] == "throughput"]
    logs = pd.DataFrame(np.log(throughput.pivot(index=["pass", "block"], columns="case", values="seconds_per_step")))
    rows: dict[str, Row] = {}
    ratios: dict[str, Estimate] = {}
    for case in header["cases"]:
        key, baseline = case["key"], case["baseline"]
        mine, opens = rounds[rounds["case"] == key], story.opens(key)
        row = rows[key] = _described(case, mine, settings, failures.get(key))
        if mine.empty or key in failures:
            continue
        row |= times(mine) | {"error_share": worst_error(mine, opens)}
        row["first_step_seconds"] = float(pd.Series([record["first_step_seconds"] for record in opens], dtype=float).median())
        counts: Mapping[str, Any] = profiles.get(key, {})
        row |= {f"{name}_per_step": counts[name] for name in ("kernels", "peak_bytes") if name in counts}
        if key in singly:
            row |= undisturbed_time(singly[key])
        if case["proven"] and baseline and baseline not in failures and (ratio := log_ratio(key, baseline, logs, singly)):
            row |= with_interval("ratio", ratio)
            if baseline != key:
                ratios[key] = ratio
    for twins in (True, False):  # the twins are a table of their own
        own = {key: ratio for key, ratio in ratios.items() if (rows[key]["kind"] == TWIN) == twins}
        for (key, ratio), (verdict, _) in zip(own.items(), verdicts([*own.values()], settings["margin"]), strict=True):
            rows[key]["verdict"] = verdict
            if verdict == UNDECIDED and math.isfinite(more := more_data(ratio, settings["margin"], len(own))):
                rows[key]["processes_to_decide"] = float(np.ceil(more * rows[key]["processes"]))
    for hole in header["holes"]:
        how = {"kind": hole["kind"], "status": "unavailable", "reason": hole["reason"]}
        rows[hole["key"]] = Case.from_json(hole).columns | how
    run = {
        "machine": header["machine_name"], "run": header["run"], "python": header["machine"]["python"],
        "problem": f"{header['problem']['name']} {header['problem']['hash']}", "margin": settings["margin"],
        "steps_per_round": settings["steps"],
    }  # fmt: skip
    filled = [run | row | {"kernels": _kernels(header["machine"], row[SIDE])} for row in rows.values()]
    table = pd.DataFrame(filled, index=pd.Index(rows, name="key")).reindex(columns=[*SUMMARY, *FOR_BOUNDS])
    table = with_bounds(table.astype({"verdict": object}))
    return table.assign(break_even_steps=_break_even(table))[SUMMARY]


def noise_floor(table: pd.DataFrame) -> float:
    """The largest difference between two equal steps that a run cannot exclude: the far end of its twins' intervals; NaN
    without one."""
    twins = table[table["kind"] == TWIN]
    ends = np.abs(np.log(twins[["ratio_low", "ratio_high"]].to_numpy(float)))
    return float(np.expm1(ends.max())) if np.isfinite(ends).any() else math.nan


def only_ok_times(table: pd.DataFrame) -> pd.DataFrame:
    """The table as files show it: only a row that is `ok` carries times, ratios, rates and what follows from them."""
    shown = table.copy()
    shown.loc[shown["status"] != "ok", ONLY_OK] = float("nan")
    return shown


def doubts(story: Story, table: pd.DataFrame) -> list[str]:
    """Why the run as a whole proves less than it seems to, one sentence each; empty for a sound run."""
    sentences = []
    if not story.complete:
        missing = ", ".join(dict.fromkeys(table.loc[table["status"] == "incomplete", "backend"]))
        planned = f"{len(story.passes)} of {story.header['settings']['processes']}"
        sentences.append(f"INCOMPLETE: the run ended in pass {planned}; missing in part: {missing or 'nothing'}.")
    for twin in table[table["kind"] == TWIN].to_dict("records"):
        name = twin["baseline"]
        if twin["status"] in ("wrong", "failed") or (story.complete and not twin["ratio"] > 0):
            sentences.append(f"UNPROVEN: the twin of {name} has no ratio, so nothing shows how much equal steps differ.")
        elif twin["verdict"] in (FASTER, SLOWER):
            sentences.append(
                f"UNPROVEN: the twin, the same code as {name}, takes {twin['ratio_low']:.3f} to {twin['ratio_high']:.3f} of "
                "its time; something favours one of two equal steps, so measure again on a quieter machine."
            )
    return sentences


def _described(case: CaseRecord, mine: pd.DataFrame, settings: SettingsRecord, failure: Failure | None) -> Row:
    """A case, how much of what was planned it has, and what its numbers are worth; with what is for bounds alone."""
    fields: Mapping[str, Any] = case
    throughput = mine[mine["mode"] == "throughput"]
    blocks = throughput.groupby("pass").size()
    passes, planned = int((blocks == settings["blocks"]).sum()), passes_of(case["kind"], settings["processes"])
    status, reason = "ok", ""
    if failure:
        status, reason = failure["status"], failure["reason"]
    elif passes < planned:
        status, reason = "incomplete", f"{passes} of {planned} passes were finished"
    return {
        **Case.from_json(case).columns,
        **{name: fields[name] for name in ("kind", "baseline", "source_hash", *FOR_BOUNDS)},
        "versions": " ".join(f"{name}=={version}" for name, version in case["versions"].items()),
        "processes": len(blocks), "rounds": len(throughput), "status": status, "reason": reason,
    }  # fmt: skip


def _kernels(machine: MachineFacts, side: str) -> str:
    """The variables that choose a library's kernels, as the column `kernels` has them."""
    chosen = machine["kernel_choices"] | machine.get("sides", {}).get(side, {}).get("variables", {})
    return " ".join(f"{name}={chosen[name]}" for name in sorted(chosen)) or "default"


def _break_even(table: pd.DataFrame) -> pd.Series:
    """The step n from which on a FASTER row has made up for its slower start: `first + (n - 1) · time` is at most the
    baseline's. The time is the one that the ratio compares; NaN in every other row.
    """
    numbers = table[["first_step_seconds", "seconds_per_step", "undisturbed_seconds_per_step"]].astype(float)
    more = numbers - numbers.reindex(table["baseline"]).to_numpy()  # than the baseline
    gain = -more["undisturbed_seconds_per_step"].fillna(more["seconds_per_step"])
    steps = 1 + (more["first_step_seconds"] / gain).map(np.ceil)
    return steps.clip(lower=1).where((table["verdict"] == FASTER) & (gain > 0))
