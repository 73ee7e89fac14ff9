"""A run's summary: from its journal to a row per case.

Pure functions of a journal.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from bench.analyse import break_even, roofline
from bench.analyse.estimates import first_step, log_blocks, log_ratios, times, with_interval, worst_errors
from bench.analyse.single_steps import figures, relative_to
from bench.analyse.verdicts import FASTER, SLOWER, UNDECIDED, Estimate, more_data, verdicts
from bench.record.frame import Singles, samples, singles
from bench.record.journal import Story
from bench.schema.case import SIDE, TWIN, Case, passes_of
from bench.schema.records import CaseRecord, Failure, MachineFacts, Profile, SettingsRecord
from bench.schema.summary import ONLY_OK, SUMMARY

Row = dict[str, Any]
COUNTED = ("kernels", "allocated_bytes", "peak_bytes")
HEADER_FIELDS = ("kind", "baseline", "source_hash", "idea")
"""Columns of the summary that stand in the header as they are."""
FOR_ROOFLINE = ("flops", "bytes", "steps_per_call")
"""Of a case's step, and no columns of the summary."""


def summarise(story: Story) -> pd.DataFrame:
    """One row per case, controls included, and per hole, with the columns `SUMMARY`; the index is the case's key.

    `status` says what a row's numbers are worth: `ok`, `incomplete` (planned passes are missing), or for `wrong`,
    `failed` and `unavailable`, which have none, `reason` says why.
    """
    header = story.header
    rounds, failures, profiles = samples(story), story.failures, story.profiles
    logs, timed = log_blocks(rounds), singles(story)
    kinds = {case["key"]: case["kind"] for case in header["cases"]}
    rows: dict[str, Row] = {}
    ratios: dict[str, Estimate] = {}
    for case in header["cases"]:
        key = case["key"]
        mine, opens = rounds[rounds["case"] == key], [record for record in story.opens if record["case"] == key]
        row = rows[key] = _described(case, header["settings"]) | _status(case, mine, header["settings"], failures.get(key))
        if mine.empty or key in failures:
            continue
        row |= times(mine) | first_step(opens) | worst_errors(case, mine, opens)
        row |= _counts(profiles.get(key))
        if key in timed:
            row |= figures(timed[key])
        baseline = case["baseline"]
        if case["proven"] and baseline and baseline not in failures and (ratio := _ratio(key, baseline, logs, timed)):
            row |= with_interval("ratio", ratio)
            if baseline != key:
                ratios[key] = ratio
    for hole in header["holes"]:
        how = {"kind": hole["kind"], "status": "unavailable", "reason": hole["reason"]}
        rows[hole["key"]] = Case.from_json(hole).columns | _how(header["settings"]) | how
    table = pd.DataFrame(rows.values(), index=pd.Index(rows, name="key")).reindex(columns=[*SUMMARY, *FOR_ROOFLINE])
    table = roofline.add(table)
    table = break_even.add(table, story.opens, logs)[SUMMARY]
    problem = f"{header['problem']['name']} {header['problem']['hash']}"
    run = {"machine": header["machine_name"], "run": header["run"], "python": header["machine"]["python"], "problem": problem}
    table = table.assign(**run, kernels=_kernels(header["machine"], table[SIDE]))
    margin = header["settings"]["margin"]
    called = _verdicts(ratios, kinds, margin)
    more = _more_data(called, ratios, kinds, margin)
    table = table.assign(verdict=pd.Series(called, table.index, dtype=object), margin=margin)
    return table.assign(processes_to_decide=np.ceil(pd.Series(more, table.index, dtype=float) * table["processes"]))


def _ratio(key: str, baseline: str, logs: pd.DataFrame, timed: Mapping[str, Singles]) -> Estimate | None:
    """The log ratio to the baseline: of undisturbed single steps where both have them, else of the rounds in each block."""
    if key in timed and baseline in timed and timed[key].singly and timed[baseline].singly:
        return relative_to(timed, key, [baseline]).estimate
    ratio = log_ratios(logs, key, baseline)
    return Estimate.of(ratio) if len(ratio) else None


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
        planned = story.header["settings"]["processes"]
        missing = ", ".join(table.loc[table["status"] == "incomplete", "backend"].astype(str).drop_duplicates())
        sentences.append(
            f"INCOMPLETE: the run ended in pass {len(story.passes)} of {planned}; missing in part: {missing or 'nothing'}."
        )
    for twin in table[table["kind"] == TWIN].to_dict("records"):
        if twin["status"] in ("wrong", "failed") or (story.complete and not twin["ratio"] > 0):
            sentences.append(
                f"UNPROVEN: the twin of {twin['baseline']} has no ratio, so nothing shows how much equal steps differ."
            )
        elif twin["verdict"] in (FASTER, SLOWER):
            sentences.append(
                f"UNPROVEN: the twin, the same code as {twin['baseline']}, takes {twin['ratio_low']:.3f} to "
                f"{twin['ratio_high']:.3f} of its time; something favours one of two equal steps, so measure again on a "
                "quieter machine."
            )
    return sentences


def _described(case: CaseRecord, settings: SettingsRecord) -> Row:
    """What is known of a case before it is measured, with what is for the roofline alone."""
    fields: Mapping[str, Any] = case
    return {
        **Case.from_json(case).columns,
        **{name: fields[name] for name in (*HEADER_FIELDS, *FOR_ROOFLINE)},
        **_how(settings),
        "versions": " ".join(f"{name}=={version}" for name, version in case["versions"].items()),
    }


def _how(settings: SettingsRecord) -> Row:
    return {"steps_per_round": settings["steps"], "allocator": settings["allocator"]}


def _status(case: CaseRecord, mine: pd.DataFrame, settings: SettingsRecord, failure: Failure | None) -> Row:
    """How much of what was planned a case has, and what its numbers are worth."""
    throughput = mine[mine["mode"] == "throughput"]
    blocks = throughput.groupby("pass").size()
    passes, planned = int((blocks == settings["blocks"]).sum()), passes_of(case["kind"], settings["processes"])
    status, reason = "ok", ""
    if failure:
        status, reason = failure["status"], failure["reason"]
    elif passes < planned:
        status, reason = "incomplete", f"{passes} of {planned} passes were finished"
    return {"processes": len(blocks), "rounds": len(throughput), "status": status, "reason": reason}


def _counts(profile: Profile | None) -> Row:
    counts: Mapping[str, Any] = profile or {}
    return {f"{name}_per_step": counts[name] for name in COUNTED if name in counts}


def _kernels(machine: MachineFacts, sides: pd.Series) -> pd.Series:
    """The variables that choose a library's kernels, as the column `kernels` has them."""

    def text(side: str) -> str:
        chosen = machine["kernel_choices"] | machine.get("sides", {}).get(side, {}).get("variables", {})
        return " ".join(f"{name}={chosen[name]}" for name in sorted(chosen)) or "default"

    return sides.map(text)


def _verdicts(ratios: Mapping[str, Estimate], kinds: Mapping[str, str], margin: float) -> dict[str, str]:
    """How each row compares with its baseline; the twins are a table of their own."""
    called: dict[str, str] = {}
    for twins in (True, False):
        keys = [key for key in ratios if (kinds[key] == TWIN) == twins]
        judged = verdicts([ratios[key] for key in keys], margin)
        called |= {key: verdict for key, (verdict, _) in zip(keys, judged, strict=True)}
    return called


def _more_data(
    called: Mapping[str, str], ratios: Mapping[str, Estimate], kinds: Mapping[str, str], margin: float
) -> dict[str, float]:
    """How many times the data would decide each row of its table that is undecided, where any amount would."""
    open_ = [key for key, verdict in called.items() if verdict == UNDECIDED]
    rows = Counter(kinds[key] == TWIN for key in called)
    wanted = {key: more_data(ratios[key], margin, rows[kinds[key] == TWIN]) for key in open_}
    return {key: times for key, times in wanted.items() if math.isfinite(times)}
