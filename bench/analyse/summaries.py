"""From rounds to estimates: pure functions of a journal, nothing else.

The process is the unit: blocks within it are summarised by their median, and intervals come from the spread between
processes (Kalibera & Jones, *Rigorous Benchmarking in Reasonable Time*, 2013). No outlier is ever dropped.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bench.analyse import break_even, roofline
from bench.analyse.relative import quiet, relative
from bench.analyse.verdicts import FASTER, MARGIN, SLOWER, Estimate, verdicts
from bench.record import journal
from bench.record.frame import error_columns, samples
from bench.schema.case import CASE_COLUMNS, FIXED_WORK, SIDE, TWIN, YARDSTICK, Case

SUMMARY = [
    *CASE_COLUMNS, "status", "reason",
    "seconds_per_step", "seconds_per_step_low", "seconds_per_step_high", "ratio", "ratio_low", "ratio_high",
    "kind", "baseline", "latency_seconds_per_step", "latency_seconds_per_step_low", "latency_seconds_per_step_high",
    "dispatch_seconds_per_step", "dispatch_seconds_per_step_low", "dispatch_seconds_per_step_high",
    "device_seconds_per_step", "device_seconds_per_step_low", "device_seconds_per_step_high",
    "flop_per_second", "byte_per_second", "limit_seconds_per_step", "limit_share",
    "first_step_seconds", "break_even_steps", "minor_faults_per_step",
    "operators_per_step", "kernels_per_step", "allocated_bytes_per_step", "peak_bytes_per_step",
    "error_loss", "error_w1", "error_w2", "kinks", "tolerance", "processes", "rounds", "steps_per_round", "learning_rate",
    "allocator", "source_hash", "versions", "verdict", SIDE,
    "quiet_seconds_per_step", "yardsticks", "relative_error", "machine", "run", "python", "idea", "kernels",
]  # fmt: skip
COUNTED = ("operators", "kernels", "allocated_bytes", "peak_bytes")


def interval(logs: np.ndarray) -> tuple[float, float, float]:
    """Geometric mean of exp(logs), one value per process, with its Student-t confidence interval (low, high).

    Times and ratios are positive and their disturbances multiply, so means are taken of logarithms (Fleming & Wallace,
    1986). A single process has no interval: low and high are NaN.
    """
    estimate = Estimate.of(logs)
    low, high = estimate.interval()
    return float(np.exp(estimate.mean)), float(np.exp(low)), float(np.exp(high))


def summarise(story: journal.Story) -> pd.DataFrame:
    """One row per case, controls included, with the columns `SUMMARY`.

    `status` says what a row's numbers are worth: `ok`, `incomplete` (planned passes are missing), or for `wrong`,
    `failed` and `unavailable`, which have none, `reason` says why.
    """
    header, settings = story.header, story.header["settings"]
    how = {"steps_per_round": settings["steps"], "allocator": settings["allocator"]}
    rounds = samples(story)
    failures = {record["case"]: record for record in reversed([*story.of("failure")])}
    opens = pd.DataFrame([record | error_columns(record) for record in story.of("open")])
    profiles = {record["case"]: record for record in story.of("profile")}
    logs, processes = log_blocks(rounds), quiet(rounds)
    rows: list[dict[str, Any]] = []
    ratios: dict[int, np.ndarray] = {}
    for case in header["cases"]:
        row = Case.from_json(case).columns | {
            **{name: case[name] for name in ("kind", "baseline", "learning_rate", "tolerance", "source_hash")},
            **how,
            "versions": " ".join(f"{name}=={version}" for name, version in case["versions"].items()),
            "idea": case.get("idea", ""),
        }
        mine = rounds[rounds["case"] == case["key"]]
        throughput = mine[mine["mode"] == "throughput"]
        blocks_done = throughput.groupby("pass").size()
        row["processes"], row["rounds"] = len(blocks_done), len(throughput)
        passes_done = int((blocks_done == settings["blocks"]).sum())
        if failure := failures.get(case["key"]):
            row["status"], row["reason"] = failure["status"], failure["reason"]
        elif passes_done < settings["processes"]:
            row["status"], row["reason"] = "incomplete", f"{passes_done} of {settings['processes']} passes were finished"
        else:
            row["status"], row["reason"] = "ok", ""
        if len(throughput) and not failure:
            row |= _estimates(case, mine, opens[opens["case"] == case["key"]])
            profile = profiles.get(case["key"], {})
            row |= {f"{name}_per_step": profile[name] for name in COUNTED if name in profile}
            row |= relative_columns(processes, case, [one for one in header["cases"] if one["key"] in processes])
            if case["proven"] and case["baseline"] not in failures:
                found = _ratio(logs, case)
                if len(found):
                    row |= _three("ratio", found)
                    if case["baseline"] != case["key"]:
                        ratios[len(rows)] = found
        rows.append(row)
    for hole in header["holes"]:
        rows.append(Case.from_json(hole).columns | how | {"kind": hole["kind"], "status": "unavailable", "reason": hole["reason"]})
    table = pd.DataFrame(rows).reindex(columns=SUMMARY)
    work = [(case["flops"] if case["proven"] or "bytes" in case else 0, case.get("bytes", 0)) for case in header["cases"]]
    table = roofline.add(table, [*work, *[(0, 0)] * len(header["holes"])])
    table = break_even.add(table, [case["key"] for case in header["cases"]])
    chosen = header["machine"].get("kernel_choices")  # older journals do not tell
    kernels = "" if chosen is None else " ".join(f"{name}={chosen[name]}" for name in sorted(chosen)) or "default"
    table = table.assign(machine=header["machine_name"], run=header["run"], python=header["machine"]["python"], kernels=kernels)
    _judge(table, ratios)
    return table


def from_rounds(rounds: pd.DataFrame) -> pd.DataFrame:
    """What `samples.csv` alone tells of a run's cases; sources, versions and settings stand in the journal only."""
    logs, processes = log_blocks(rounds), quiet(rounds)
    first = rounds.drop_duplicates("case").rename(columns={"backend": "name", "case": "key"})
    cases = [{str(name): value for name, value in case.items()} for case in first.to_dict("records")]
    rows = []
    for case in cases:
        one = {name: case["name" if name == "backend" else name] for name in (*CASE_COLUMNS, "status", "kind", "machine", "run", SIDE)}
        medians = logs[case["key"]].dropna().groupby("pass").median().to_numpy()
        one |= _three("seconds_per_step", medians) | {"processes": len(medians), "rounds": int(logs[case["key"]].count())}
        rows.append(one | relative_columns(processes, case, cases))
    return pd.DataFrame(rows)


def log_blocks(rounds: pd.DataFrame) -> pd.DataFrame:
    """Logs of the seconds a step took in throughput: a row per (pass, block), a column per case."""
    throughput = rounds[rounds["mode"] == "throughput"]
    seconds = throughput.pivot(index=["pass", "block"], columns="case", values="seconds_per_step")
    return pd.DataFrame(np.log(seconds))


def relative_columns(processes: pd.DataFrame, case: dict[str, Any], cases: list[dict[str, Any]]) -> dict[str, Any]:
    """What compares this case with the same one of another run: its mix of yardsticks, and how exactly that is known."""
    place = (case["device"], case["threads"])
    names = {c["key"]: c["name"] for c in cases if c["kind"] == YARDSTICK and (c["device"], c["threads"]) == place}
    weights, calm, apart = relative(processes, case["key"], [] if case["kind"] in FIXED_WORK else list(names))
    text = " ".join(f"{names[key]}:{weight:.4f}" for key, weight in weights.items())
    return {"quiet_seconds_per_step": float(np.exp(calm.mean)), "yardsticks": text, "relative_error": apart.error}


def noise_floor(table: pd.DataFrame) -> float:
    """The largest difference between two equal steps that a run cannot exclude: the far end of its twins' intervals."""
    twins = table[table["kind"] == TWIN]
    ends = np.abs(np.log(twins[["ratio_low", "ratio_high"]].to_numpy(float)))
    return float(np.expm1(np.nanmax(ends, initial=np.log1p(MARGIN))))


def _judge(table: pd.DataFrame, ratios: dict[int, np.ndarray]) -> None:
    """Fills in what each row is called beside its baseline; the twins are a table of their own."""
    table["verdict"] = table["verdict"].astype(object)
    margin = noise_floor(table)
    for twins in (True, False):
        rows = [row for row in ratios if (table.at[row, "kind"] == TWIN) == twins]
        found = verdicts([Estimate.of(ratios[row]) for row in rows], MARGIN if twins else margin)
        for row, (verdict, _) in zip(rows, found, strict=True):
            table.at[row, "verdict"] = verdict


def only_ok_times(table: pd.DataFrame) -> pd.DataFrame:
    """The table as files show it: only a row that is `ok` carries times, ratios, rates and what follows from them."""
    shown = table.copy()
    begins = ("ratio", "flop", "byte", "limit", "break", "verdict", "yardsticks", "relative")
    times = [name for name in shown.columns if "seconds" in name or name.startswith(begins)]
    shown.loc[shown["status"] != "ok", times] = float("nan")
    return shown


def doubts(story: journal.Story, table: pd.DataFrame) -> list[str]:
    """Why the run as a whole proves less than it seems to, one sentence each; empty for a sound run."""
    found = []
    if not story.complete:
        planned = story.header["settings"]["processes"]
        missing = ", ".join(table.loc[table["status"] == "incomplete", "backend"].astype(str).drop_duplicates())
        found.append(
            f"INCOMPLETE: the run ended in pass {sum(1 for _ in story.of('pass'))} of {planned}; "
            f"missing in part: {missing or 'nothing'}."
        )
    for twin in table[table["kind"] == "twin"].to_dict("records"):
        if twin["status"] in ("wrong", "failed") or (story.complete and not twin["ratio"] > 0):
            found.append(f"UNPROVEN: the twin of {twin['baseline']} has no ratio, so nothing tells how two equal steps differ.")
        elif twin["verdict"] in (FASTER, SLOWER):
            found.append(
                f"UNPROVEN: the twin, the same code as {twin['baseline']}, takes {twin['ratio_low']:.3f} to "
                f"{twin['ratio_high']:.3f} of its time; something favours one of two equal steps, so measure again on a "
                "quieter machine."
            )
    return found


def _estimates(case: dict[str, Any], mine: pd.DataFrame, opens: pd.DataFrame) -> dict[str, float]:
    found = {"first_step_seconds": float(opens["first_step_seconds"].median())}
    for mode, prefix in (("throughput", ""), ("latency", "latency_"), ("dispatch", "dispatch_"), ("device", "device_")):
        medians = mine[mine["mode"] == mode].groupby("pass")["seconds_per_step"].median()
        if len(medians):
            found |= _three(f"{prefix}seconds_per_step", np.log(medians.to_numpy()))
    throughput = mine[mine["mode"] == "throughput"]
    found["minor_faults_per_step"] = float(throughput["minor_faults"].sum() / throughput["steps"].sum())
    if case["proven"]:
        judged = pd.concat([throughput, opens])[["error_loss", "error_w1", "error_w2", "kinks"]].astype(float)
        strictly = judged[judged["kinks"] == 0]
        worst = (strictly if len(strictly) else judged).max()
        found |= {name: float(worst[name]) for name in ("error_loss", "error_w1", "error_w2")}
        found["kinks"] = float(judged["kinks"].sum())
    return found


def _ratio(logs: pd.DataFrame, case: dict[str, Any]) -> np.ndarray:
    """Log ratio to the baseline within each block, their median per process: one value per process."""
    if case["baseline"] not in logs:
        return np.empty(0)
    return np.asarray((logs[case["key"]] - logs[case["baseline"]]).dropna().groupby("pass").median())


def _three(name: str, logs: np.ndarray) -> dict[str, float]:
    return dict(zip((name, f"{name}_low", f"{name}_high"), interval(logs), strict=True))
