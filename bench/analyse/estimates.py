"""From the rounds of a case to its estimates.

The process is the unit: blocks within it are summarised by their median, and intervals come from the spread between
processes (Kalibera & Jones, *Rigorous Benchmarking in Reasonable Time*, 2013). No outlier is ever dropped.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from bench.analyse.verdicts import Estimate
from bench.record.frame import ERRORS, error_columns
from bench.schema.records import CaseRecord, Open, Visit

PREFIXES = {"throughput": "", "latency": "latency_", "dispatch": "dispatch_", "device": "device_"}
"""Of the columns that hold a mode's seconds per step."""


def with_interval(name: str, estimate: Estimate) -> dict[str, float]:
    """An estimate of a logarithm and the ends of its interval under their columns' names.

    Times and ratios are positive and their disturbances multiply, so means are taken of logarithms (Fleming & Wallace,
    1986). A single process has no interval: both ends are NaN.
    """
    ends = (estimate.mean, *estimate.interval())
    return {column: float(np.exp(end)) for column, end in zip((name, f"{name}_low", f"{name}_high"), ends, strict=True)}


def times(mine: pd.DataFrame) -> dict[str, float]:
    """Seconds per step of each mode that a case's rounds have, and page faults per step."""
    columns: dict[str, float] = {}
    for mode, rounds in mine.groupby("mode"):
        medians = rounds.groupby("pass")["seconds_per_step"].median()
        estimate = Estimate.of(np.log(medians.to_numpy()))
        columns |= with_interval(f"{PREFIXES[str(mode)]}seconds_per_step", estimate)
        if mode == "throughput":
            columns["relative_error"] = estimate.error
    throughput = mine[mine["mode"] == "throughput"]
    return columns | {"minor_faults_per_step": float(throughput["minor_faults"].sum() / throughput["steps"].sum())}


def counts(visits: Iterable[Visit]) -> dict[str, dict[str, float]]:
    """Hardware events per step, by case: the median over visits of what the further steps of a longer round add, so that what a
    round costs beside its steps cancels; at least 0, which a step that does next to nothing misses by what rounds differ.
    Nothing where none were counted.
    """
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for visit in visits:
        further = visit["outside"].get("audit_steps", visit["steps"]) - visit["steps"] if "outside" in visit else 0
        for name, (one, other) in visit.get("counts", {}).items():
            if further:
                found[visit["case"]][f"{name}_per_step"].append((other - one) / further)
    return {case: {name: max(0.0, float(np.median(each))) for name, each in columns.items()} for case, columns in found.items()}


def first_step(opens: Sequence[Open]) -> dict[str, float]:
    """The median over processes."""
    return {"first_step_seconds": float(pd.Series([record["first_step_seconds"] for record in opens], dtype=float).median())}


def worst_errors(case: CaseRecord, mine: pd.DataFrame, opens: Sequence[Open]) -> dict[str, float]:
    """The largest errors of a case's proofs and rounds: of the strict comparisons, where there is one. None of a control."""
    if not case["proven"]:
        return {}
    throughput = mine.loc[mine["mode"] == "throughput", ERRORS].to_dict("records")
    judged = pd.DataFrame([*throughput, *map(error_columns, opens)], columns=ERRORS).astype(float)
    strictly = judged[judged["kinks"] == 0]
    worst = (strictly if len(strictly) else judged).max()
    return {**{name: float(worst[name]) for name in ERRORS}, "kinks": float(judged["kinks"].sum())}


def log_blocks(rounds: pd.DataFrame) -> pd.DataFrame:
    """Log seconds per step of the throughput rounds: a row per pass and block, a column per case."""
    throughput = rounds[rounds["mode"] == "throughput"]
    seconds = throughput.pivot(index=["pass", "block"], columns="case", values="seconds_per_step")
    return pd.DataFrame(np.log(seconds))


def log_ratios(logs: pd.DataFrame, case: str, baseline: str | None) -> np.ndarray:
    """Log ratio to the baseline within each block, their median per process: one value per process; none without a baseline."""
    if baseline not in logs:
        return np.empty(0)
    return np.asarray((logs[case] - logs[baseline]).dropna().groupby("pass").median())
