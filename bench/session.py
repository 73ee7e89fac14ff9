"""One run, from its plan to its folder: the journal while it measures, every other file from the journal afterwards."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from bench import doctor
from bench.analyse.run import Run
from bench.errors import UsageError
from bench.machine import environment, presence
from bench.measure import conductor, progress
from bench.plan.cases import Plan
from bench.record import journal
from bench.show import folder as run_folder

BYTES_PER_VISIT = 2400
"""Of journal and samples together; used to see before measuring that the results will fit."""


def run_plan(plan: Plan, console: Console, publish: Callable[[Run], None]) -> None:
    """Measures a plan, and hands what was measured to `publish`: also if Ctrl-C or anything else ends it early."""
    machine = environment.facts()
    name = environment.machine_name([gpu["name"] for gpu in machine["gpus"]])
    folder = new_folder(plan, name)
    beforehand = doctor.before_run()
    log = journal.Journal(folder / journal.NAME)
    log.write(journal.header(plan, machine, name, folder.name, beforehand))
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


def new_folder(plan: Plan, machine: str) -> Path:
    """A folder that no other run has, checked for room before anything is measured. Raises `UsageError`."""
    settings = plan.settings
    parent = settings.results / machine
    stamp = "-".join(filter(None, (datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"), settings.node)))
    needed = 1_000_000 + BYTES_PER_VISIT * plan.visits
    try:
        parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(parent).free
        folder = _made(parent, stamp)
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


def _made(parent: Path, stamp: str, number: int = 1) -> Path:
    folder = parent / (stamp if number == 1 else f"{stamp}-{number}")
    try:
        folder.mkdir()
    except FileExistsError:
        return _made(parent, stamp, number + 1)
    return folder
