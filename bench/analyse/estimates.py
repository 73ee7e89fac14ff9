"""From the rounds of a case to its estimates.

The process is the unit: blocks within it are summarised by their median, and intervals come from the spread between
processes (Kalibera & Jones, *Rigorous Benchmarking in Reasonable Time*, 2013). No outlier is ever dropped.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bench.analyse.verdicts import Estimate
from bench.record.frame import ERRORS, error_columns
from bench.schema.records import COUNTERS, CaseRecord, Open

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
    """Seconds per step of each mode that a case's rounds have, and what its `COUNTERS` have per step."""
    columns: dict[str, float] = {}
    for mode, rounds in mine.groupby("mode"):
        medians = rounds.groupby("pass")["seconds_per_step"].median()
        estimate = Estimate.of(np.log(medians.to_numpy()))
        columns |= with_interval(f"{PREFIXES[str(mode)]}seconds_per_step", estimate)
        if mode == "throughput":
            columns["relative_error"] = estimate.error
    throughput = mine[mine["mode"] == "throughput"]
    steps = throughput["steps"].sum()
    return columns | {f"{name}_per_step": float(throughput[name].sum() / steps) for name in COUNTERS}


def first_step(opens: Sequence[Open]) -> dict[str, float]:
    """The median over processes."""
    return {"first_step_seconds": float(pd.Series([record["first_step_seconds"] for record in opens], dtype=float).median())}


def worst_errors(case: CaseRecord, mine: pd.DataFrame, opens: Sequence[Open]) -> dict[str, float]:
    """The largest errors of a case's proofs and rounds; none of a control."""
    if not case["proven"]:
        return {}
    throughput = mine.loc[mine["mode"] == "throughput", ERRORS].to_dict("records")
    judged = pd.DataFrame([*throughput, *map(error_columns, opens)], columns=ERRORS).astype(float)
    return {name: float(judged[name].max()) for name in ERRORS}


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
