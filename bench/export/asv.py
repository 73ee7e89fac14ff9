"""Stored runs as airspeed velocity stores results: a folder per machine, a file per commit and environment.

No run is filed under a commit that it was not measured at.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from bench.analyse.verdicts import Estimate
from bench.errors import UsageError
from bench.export._format import Format, Runs, records
from bench.record import frame
from bench.record.journal import Story
from bench.schema.case import Case
from bench.schema.records import Header

LIST = "benchmarks.json"
RESULTS_VERSION, MACHINE_VERSION, LIST_VERSION = 2, 1, 2
"""`api_version` of asv's Results, Machine and Benchmarks, as of asv 0.6."""
COLUMNS = (
    "result", "params", "version", "started_at", "duration",
    "stats_ci_99_a", "stats_ci_99_b", "stats_q_25", "stats_q_75", "stats_number", "stats_repeat", "samples",
)  # fmt: skip


def files(runs: Runs) -> dict[str, str]:
    """Path → text of everything below asv's `results_dir`. Raises `UsageError` if a commit has two runs of a case."""
    written: dict[str, Any] = {}
    listed: dict[str, Any] = {}
    for story in runs.stories:
        header = story.header
        mine = runs.table[runs.of(story)]
        if mine.empty:
            continue
        machine, about = _machine(header), _about(header)
        path = f"{machine['machine']}/{about['commit_hash'][:8]}-{about['env_name']}.json"
        written[f"{machine['machine']}/machine.json"] = machine
        results = written.setdefault(path, about)["results"]
        medians = _medians(story)
        for row in records(mine):
            # asv's pages split a name at each slash and keep the first part; they show pretty_name
            name = row["id"].replace("/", ".")
            if name in results:
                raise UsageError(
                    f"export: {row['id']} was measured twice at {about['commit_hash'][:8]}, and asv keeps one result a "
                    "commit; name one of the runs."
                )
            results[name] = _result(row, medians[row["id"]], _milliseconds(header))
            listed[name] = {
                "name": name, "pretty_name": row["id"], "params": [], "param_names": [], "type": "time", "unit": "seconds",
                "code": header.get("sources", {}).get(row["source_hash"], ""),
            }  # fmt: skip
    old = _listed(runs.output / LIST) if runs.output else {}
    written[LIST] = {**old, **listed, "version": LIST_VERSION}
    return {path: json.dumps(data, indent=1, allow_nan=False) + "\n" for path, data in written.items()}


def _listed(path: Path) -> dict[str, Any]:
    """The list of benchmarks that stands there already: it may be a project's own."""
    if not path.exists():
        return {}
    try:
        old = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}; name another folder with -o.") from None
    except ValueError:
        old = None
    if not isinstance(old, dict):
        raise UsageError(f"{path}: is not the list that asv writes; name another folder with -o.")
    return old


def _machine(header: Header) -> dict[str, Any]:
    facts = header["machine"]
    return {
        "machine": header["machine_name"],
        "os": facts["system"],
        "cpu": facts["cpu"],
        "num_cpu": str(facts["cpus"]),
        "ram": f"{facts['memory_bytes'] / 1e9:.0f} GB",  # rounded: it is part of what asv calls the same series
        "version": MACHINE_VERSION,
    }


def _about(header: Header) -> dict[str, Any]:
    """What a result file says besides results; the environment is named as asv names its own."""
    python = ".".join(header["machine"]["python"].split(".")[:2])
    libraries = dict(sorted({name: v for case in header["cases"] for name, v in case["versions"].items()}.items()))
    settings = {"BENCH_ALLOCATOR": header["settings"]["allocator"]}
    parts = [f"{name}{value}" for name, value in (*libraries.items(), *settings.items())]
    machine = _machine(header)
    del machine["version"]
    return {
        "commit_hash": header["machine"]["commit"],
        "env_name": "-".join(["stepbench", f"py{python}", *parts]),
        "date": _milliseconds(header),
        "params": {**machine, "python": python, **libraries},
        "python": python,
        "requirements": libraries,
        "env_vars": settings,
        "result_columns": list(COLUMNS),
        "results": {},
        "durations": {},
        "version": RESULTS_VERSION,
    }


def _result(row: dict[str, Any], medians: np.ndarray, started: int) -> list[Any]:
    """A case's values in the order of `COLUMNS`. The samples are processes: only they are independent of each other."""
    low, high = np.exp(Estimate.of(np.log(medians)).interval(0.99)).tolist()
    lower, upper = np.quantile(medians, [0.25, 0.75]).tolist()
    number, repeat = int(row["steps_per_round"]), len(medians)
    stats = [[value] for value in (low, high, lower, upper, number, repeat)]
    return [[row["seconds_per_step"]], [], None, started, None, *stats, [medians.tolist()]]


def _medians(story: Story) -> dict[str, np.ndarray]:
    rounds = frame.samples(story)
    throughput = rounds[rounds["mode"] == "throughput"]
    names = throughput["case"].map(lambda key: Case.parse(key).path)
    by_pass = throughput.groupby([names, throughput["pass"]])["seconds_per_step"].median()
    return {str(name): mine.to_numpy() for name, mine in by_pass.groupby(level=0)}


def _milliseconds(header: Header) -> int:
    """When the run began, in milliseconds since 1970, as asv wants it."""
    return round(1000 * datetime.fromisoformat(header["machine"]["time"]).timestamp())


FORMAT = Format(files, by_commit=True)
