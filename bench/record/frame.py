"""From journals to the time of a step, and to a table of one row per timed round: for notebooks, statistics and `samples.csv`.

No round is dropped, sorted away or averaged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate, chain
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.errors import UsageError
from bench.record import journal
from bench.schema.case import CASE_COLUMNS, SIDE, Case
from bench.schema.records import COUNTERS, Visit

COLUMNS = [
    "machine", "run", "case", "status", "pass", "block", *CASE_COLUMNS, "kind",
    "mode", "steps", "seconds", "seconds_per_step", *COUNTERS, "error_share", SIDE,
]  # fmt: skip
Singles = dict[int, NDArray[np.float64]]
"""Pass → seconds per step of its single steps, or of its single calls of several, in measured order."""
GRAIN = 1e-9
"""Seconds that the clock counts in: a time below it is none."""
WARM_UP = 4
"""One of so many of a round's calls, the first quarter, warms up caches and pools: it is timed and not counted."""
QUEUED = 0.2
"""A round that spends this share of its time in the wait at its end was queued, on any device."""
EVEN_IN, EVEN_STEPS = 0.1, 4.0
"""This share of the quickest calls has to be in rounds that take at most so many steps more than the
sum of their calls."""


def load(*paths: str | Path) -> pd.DataFrame:
    """Every timed round of the runs found at or below `paths` (`results` by default), one row each.

    `seconds` is the time of the whole round of `steps`; `seconds_per_step` that of a step, the first quarter left out where
    each call was timed and nothing was queued. `mode` is throughput (one wait a round), latency (the loss fetched every step),
    dispatch (of the throughput round, until its last step was queued) or device (the device's own clock). `status` is `wrong`
    or `failed` for every round of a case that failed at any time.
    Raises `UsageError` if there is no run.
    """
    return pd.concat([samples(story) for story in stories(*paths)], ignore_index=True)


def stories(*paths: str | Path) -> list[journal.Story]:
    """The journals at or below `paths`, those of one path oldest first, as read."""
    return [journal.read(file) for file in journals(*paths)]


def journals(*paths: str | Path) -> list[Path]:
    """The files of `stories`. Raises `UsageError` for a path that holds none."""
    files: list[Path] = []
    for path in map(Path, paths or ("results",)):
        below = sorted(path.rglob(journal.NAME), key=lambda file: file.parent.name) if path.is_dir() else [path]
        if not below:
            raise UsageError(f"{path}: holds no {journal.NAME}; give a run's folder, or one above it.")
        files += below
    return [*dict.fromkeys(files)]


def samples(story: journal.Story) -> pd.DataFrame:
    """One row per timed round of a run, in measured order."""
    failures, run = story.failures, {"machine": story.header["machine_name"], "run": story.header["run"]}
    cases: dict[str, dict[str, Any]] = {}
    for case in story.header["cases"]:
        status = failures[case["key"]]["status"] if case["key"] in failures else "ok"
        cases[case["key"]] = run | Case.from_json(case).columns | {"kind": case["kind"], "status": status}
    rows = []
    for visit in story.visits:
        fields: Mapping[str, Any] = visit
        about = cases[visit["case"]] | {name: fields[name] for name in ("case", "pass", "block", "steps")}
        about |= {"error_share": visit["errors"]["share"]} if visit["errors"] else {}
        for mode in ("throughput", "latency", "dispatch", "device"):
            if (seconds := fields[f"{mode}_seconds"]) is not None:
                time = {"mode": mode, "seconds": seconds, "seconds_per_step": seconds_per_step(visit, mode)}
                rows.append(about | time | {name: fields[name] for name in COUNTERS if mode == "throughput"})
    return pd.DataFrame(rows, columns=COLUMNS)


def singles(story: journal.Story) -> dict[str, Singles]:
    """Case → its single steps without those that warm up, of cases whose calls are their steps' own times."""
    found: dict[str, Singles] = {}
    for case in story.header["cases"]:
        visits = [visit for visit in story.visits if visit["case"] == case["key"]]
        if not timed_singly(visits, case["threads"]):
            continue
        steps: dict[int, list[float]] = {}
        for visit in visits:
            calls = visit["throughput_call_seconds"] or []
            own = steps.setdefault(visit["pass"], [])
            own += [seconds * len(calls) / visit["steps"] for seconds in calls[len(calls) // WARM_UP :]]
        found[case["key"]] = {number: np.maximum(own, GRAIN) for number, own in steps.items()}
    return found


def queues(visit: Visit) -> bool:
    queued = visit["dispatch_seconds"]
    return queued is not None and visit["throughput_seconds"] - queued > QUEUED * visit["throughput_seconds"]


def seconds_per_step(visit: Visit, mode: str) -> float:
    """Of a round in the mode `throughput`, `latency`, `dispatch` or `device`, without its warm-up
    where calls were timed."""
    fields: Mapping[str, Any] = visit
    seconds, calls = fields[f"{mode}_seconds"], fields.get(f"{'latency' if mode == 'latency' else 'throughput'}_call_seconds")
    if not calls or mode == "device" or (mode != "latency" and queues(visit)):
        return float(seconds / visit["steps"])
    warm = len(calls) // WARM_UP
    return float(max(GRAIN, (seconds - sum(calls[:warm])) / (visit["steps"] * (1 - warm / len(calls)))))


def timed_singly(visits: Sequence[Visit], threads: int = 1) -> bool:
    """Whether the calls of a case are its steps' own times.

    Each was timed, most rounds were not queued, and on several threads calls add up to rounds: with several threads, a slow
    call may mean that another thread was descheduled. Next to a busy neighbor most rounds hold more than their own, so that
    those that hold the quickest calls decide, and of these the first tenth.
    """
    calls = [visit["throughput_call_seconds"] or [] for visit in visits]
    if not all(calls) or 2 * sum(map(queues, visits)) >= len(visits):
        return False
    if threads == 1:
        return True
    counted = [each[len(each) // WARM_UP :] for each in calls]
    quickest = sorted(chain.from_iterable(counted))
    quick = quickest[len(quickest) // 50]
    rounds = sorted(
        (visit["throughput_seconds"] - len(late) * median(counts), sum(one <= quick for one in counts))
        for visit, late, counts in zip(visits, calls, counted, strict=True)
    )
    least = EVEN_IN * sum(number for _, number in rounds)
    held = accumulate(number for _, number in rounds)
    overhead = next(overhead for (overhead, _), number in zip(rounds, held, strict=True) if number >= least)
    return overhead <= EVEN_STEPS * quick * len(calls[0]) / visits[0]["steps"]
