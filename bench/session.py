"""Runs a plan into a folder of its own: the journal while it measures, tables and reports from the journal afterwards.

It must never write a number that is not in the journal.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from backends.api import step_bytes, step_flops, weights_dtype
from bench.analyse.run import Run
from bench.doctor import examination
from bench.errors import UsageError
from bench.judge.proof import TOLERANCE
from bench.machine import environment, presence
from bench.measure import conductor, progress
from bench.plan.cases import Plan
from bench.plan.sides import Backend
from bench.record import journal
from bench.schema.case import Case
from bench.show import folder as run_folder

BYTES_PER_VISIT = 1800
"""Of journal and samples together; used to see before measuring that the results will fit."""


def run_plan(plan: Plan, console: Console, publish: Callable[[Run], None]) -> None:
    """Measures a plan, and hands what was measured to `publish`: also if Ctrl-C or anything else ends it early."""
    machine = environment.facts()
    name = environment.machine_name([gpu["name"] for gpu in machine["gpus"]])
    folder = new_folder(plan, name)
    beforehand = examination.before_run()
    log = journal.Journal(folder / journal.NAME)
    log.write(header(plan, machine, name, folder.name) | {"doctor": beforehand})
    for sentence in beforehand:
        console.print(sentence, style="dim")
    try:
        with presence.shown() as others, progress.shown(plan, console) as advance:
            for record in conductor.measure(plan):
                if record["record"] == "pass" and (beside := others()):
                    record["other_runs"] = beside
                log.write(record)
                advance(record)
    finally:
        with suppress(OSError):  # a full disk; what could be written is read back below
            log.close()
        measured = Run.read(folder)
        publish(measured)
        run_folder.write(measured)


def header(plan: Plan, machine: dict[str, Any], machine_name: str, run: str) -> journal.Record:
    """The journal's first line: all that is needed to understand every later one."""

    def about(case: Case) -> dict[str, Any]:
        return {**case.as_json(), "name": case.name, "kind": plan.kind(case)}

    cases = []
    measured = (*plan.cases, *plan.controls)
    for case in measured:
        baseline, backend = plan.baseline_of(case), plan.backend(case)
        proven = backend.proven
        cases.append(
            about(case)
            | {
                "source_hash": backend.hash,
                "idea": backend.idea,
                "proven": proven,
                "selected": case in plan.cases,
                "baseline": baseline.key if baseline and proven else None,
                **_work(case, backend),
                "learning_rate": case.learning_rate,
                "tolerance": TOLERANCE[case.dtype] if proven else None,
                "versions": backend.versions,
                "group": plan.group(case),
            }
        )
    used = {(case.backend, case.side): plan.backend(case) for case in measured}
    sides = {side.label: side.facts for side in plan.sides if side.label}
    return {
        "record": "header",
        "schema": journal.SCHEMA,
        "run": run,
        "machine_name": machine_name,
        "settings": plan.settings.as_json(),
        "machine": machine | ({"sides": sides} if sides else {}),
        "cases": cases,
        "holes": [about(hole.case) | {"reason": hole.reason} for hole in plan.holes],
        "sources": {used[one].hash: used[one].source for one in sorted(used)},
    }


def _work(case: Case, backend: Backend) -> dict[str, int]:
    """Floating-point operations and bytes of a step: what the problem asks for at least, or what a control says it does."""
    if backend.proven:
        flops, moved = step_flops(*case.shape), step_bytes(*case.shape, itemsize=np.dtype(weights_dtype(case.dtype)).itemsize)
    else:
        flops, moved = backend.work.get(case.device, {}).get(case.dtype, (0, 0))
    return {"flops": flops, "bytes": moved}


def new_folder(plan: Plan, machine: str) -> Path:
    """A folder that no other run has, checked for room before anything is measured. Raises `UsageError`."""
    settings = plan.settings
    parent = settings.results / machine
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    cases = len(plan.cases) + len(plan.controls)
    needed = 1_000_000 + BYTES_PER_VISIT * settings.processes * settings.blocks * cases
    try:
        parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(parent).free
        folder = next(path for path in _names(parent, stamp) if _made(path))
        (folder / journal.NAME).touch()
        (folder / journal.NAME).unlink()
    except OSError as error:
        raise UsageError(
            f"BENCH_RESULTS={settings.results}: results cannot be written there: {error.strerror}; "
            "name a folder that can be written to."
        ) from None
    if free < needed:
        folder.rmdir()
        raise UsageError(
            f"BENCH_RESULTS={settings.results}: {free / 1e6:.1f} MB are free there, this run may need {needed / 1e6:.1f} MB; "
            "make room or name another folder."
        )
    return folder


def _names(parent: Path, stamp: str) -> Iterator[Path]:
    yield parent / stamp
    number = 2
    while True:
        yield parent / f"{stamp}-{number}"
        number += 1


def _made(path: Path) -> bool:
    try:
        path.mkdir()
    except FileExistsError:
        return False
    return True
