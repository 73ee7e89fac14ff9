"""From journals to a tidy table: one row per timed round, for notebooks, statistics and `samples.csv`.

It must never drop, sort away or average a round.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from bench.errors import UsageError
from bench.record import journal
from bench.schema.case import CASE_COLUMNS, SIDE, Case

MODES = ("throughput", "latency", "dispatch", "device")
COLUMNS = [
    "machine", "run", "case", "status", "pass", "block", "position", *CASE_COLUMNS, "kind",
    "mode", "steps", "seconds", "seconds_per_step", "minor_faults", "readback_seconds",
    "error_loss", "error_w1", "error_w2", "kinks", SIDE,
]  # fmt: skip


def load(*paths: str | Path) -> pd.DataFrame:
    """Every timed round of the runs found at or below `paths` (`results` by default), one row each.

    `seconds` is the whole round's time, `seconds_per_step` that over `steps`; `mode` is throughput (one wait a round),
    latency (the loss fetched every step), dispatch (of the throughput round, until its last step was queued) or device (the
    device's own clock). `status` is `wrong` or `failed` for every round of a case that failed at any time.
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
        found = sorted(path.rglob(journal.NAME), key=lambda file: file.parent.name) if path.is_dir() else [path]
        if not found:
            raise UsageError(f"{path}: holds no {journal.NAME}; give a run's folder, or one above it.")
        files += found
    return [*dict.fromkeys(files)]


def samples(story: journal.Story) -> pd.DataFrame:
    """One row per timed round of a run, in measured order."""
    failed = {record["case"]: record["status"] for record in story.of("failure")}
    cases = {
        case["key"]: Case.from_json(case).columns | {"kind": case["kind"], "status": failed.get(case["key"], "ok")}
        for case in story.header["cases"]
    }
    run = {"machine": story.header["machine_name"], "run": story.header["run"]}
    return pd.DataFrame(_rows(story.of("visit"), cases, run), columns=COLUMNS)


def _rows(visits: Iterable[journal.Record], cases: dict[str, Any], run: dict[str, Any]) -> Iterable[dict[str, Any]]:
    for recorded in visits:
        visit = {"dispatch_seconds": None} | recorded  # an older journal does not tell
        for mode in MODES:
            if (seconds := visit[f"{mode}_seconds"]) is None:
                continue
            yield {
                **run,
                **{name: visit[name] for name in ("case", "pass", "block", "position", "steps")},
                **cases[visit["case"]],
                "mode": mode,
                "seconds": seconds,
                "seconds_per_step": seconds / visit["steps"],
                **({"minor_faults": visit["minor_faults"]} if mode == "throughput" else {}),
                "readback_seconds": visit["readback_seconds"],
                **error_columns(visit),
            }


def error_columns(record: journal.Record) -> dict[str, float]:
    """The errors of a visit or of an opening as the columns that hold them; none for a control."""
    errors = record["errors"] or {}
    return {name if name == "kinks" else f"error_{name}": value for name, value in errors.items()}
