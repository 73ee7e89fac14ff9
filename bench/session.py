"""One run, from its plan to its folder: journal and bar while it measures, every other file from the journal afterwards."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from bench import doctor
from bench.analyse.summaries import Run
from bench.errors import UsageError
from bench.machine import environment
from bench.measure import conductor
from bench.plan.cases import Plan
from bench.record import journal
from bench.schema.records import Record
from bench.show import folder as run_folder

BYTES_PER_VISIT = 2400  # of journal and samples together; used to see before measuring that the results will fit
BUSY = "busy: another run of stepbench is measuring on this machine; both will be noisy."


def run_plan(plan: Plan, console: Console, publish: Callable[[Run], None]) -> None:
    """Measures a plan, and hands what was measured to `publish`: also if Ctrl-C or anything else ends it early."""
    machine = environment.facts()
    name = environment.machine_name([gpu["name"] for gpu in machine["gpus"]])
    log = _new_journal(plan, name)
    folder = log.path.parent
    beforehand = doctor.before_run()
    log.write(journal.header(plan, machine, name, folder.name, beforehand))
    for sentence in beforehand:
        console.print(sentence, style="dim")
    try:
        with other_runs() as others, progress(plan, console) as advance:
            for record in conductor.measure(plan):
                if record["record"] == "pass" and others():
                    record["other_runs"] = 1
                log.write(record)
                advance(record)
    finally:
        with suppress(OSError):  # a full disk; what could be written is read back below
            log.close()
        measured = Run.read(folder)
        publish(measured)
        run_folder.write(measured)


def _new_journal(plan: Plan, machine: str) -> journal.Journal:
    """In a folder that no other run has, where the results will fit. Raises `UsageError`."""
    results, needed = plan.settings.results, 1_000_000 + BYTES_PER_VISIT * plan.visits
    stamp = "-".join(filter(None, (datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"), plan.settings.node)))
    try:
        (results / machine).mkdir(parents=True, exist_ok=True)
        if (free := shutil.disk_usage(results / machine).free) < needed:
            raise UsageError(
                f"BENCH_RESULTS={results}: {free / 1e6:.1f} MB are free there, this run may need {needed / 1e6:.1f} MB; "
                "make room or name another folder."
            )
        for number in count(1):
            folder = results / machine / (stamp if number == 1 else f"{stamp}-{number}")
            with suppress(FileExistsError):
                folder.mkdir()
                break
        return journal.Journal(folder / journal.NAME)
    except OSError as error:
        reason = f"results cannot be written there: {error.strerror}; name a folder that can be written to."
        raise UsageError(f"BENCH_RESULTS={results}: {reason}") from None


@contextmanager
def other_runs() -> Iterator[Callable[[], bool]]:
    """Shows other runs on this machine that this one measures; yields a function that says whether there are any.

    All hold a shared lock of one file, so only a run that is alone gets it exclusively, for a moment.
    """
    with (Path(tempfile.gettempdir()) / f"stepbench-{os.getuid()}.lock").open("w") as file:

        def others() -> bool:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            finally:
                fcntl.flock(file, fcntl.LOCK_SH)
            return False

        fcntl.flock(file, fcntl.LOCK_SH)
        yield others


@contextmanager
def progress(plan: Plan, console: Console) -> Iterator[Callable[[Record], None]]:
    """What a run shows while it measures: a bar in a terminal, lines elsewhere, failures and warnings as they come."""
    settings = plan.settings
    console.print(
        f"stepbench: {len(plan.cases)} case{'s' * (len(plan.cases) != 1)} and {len(plan.controls)} controls, "
        f"{settings.processes} passes of {settings.blocks} blocks, {settings.steps} steps a round",
    )
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("pass {task.fields[number]}"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, auto_refresh=False, disable=not console.is_terminal) as bar:
        task = bar.add_task("measuring", total=plan.visits, number=1)
        said = {""}

        def advance(record: Record) -> None:
            warning, done, took = "", record["pass"], record["at_seconds"]
            if record["record"] == "visit":
                bar.advance(task)
            elif record["record"] == "block":  # drawn between blocks and by no thread: nothing runs beside a worker
                bar.update(task, number=done + 1, refresh=True)
            elif record["record"] == "failure":
                bar.console.print(f"{record['status']}: {record['reason']}")
            elif record["record"] == "profile":
                warning = record.get("uncounted", "")
            elif record["record"] == "pass":
                warning = BUSY if record.get("other_runs") else ""
                if done and not console.is_terminal:
                    left = took * (settings.processes - done) / done
                    console.print(f"pass {done} of {settings.processes} done; about {left:.0f} s are left")
            if warning not in said:
                said.add(warning)
                bar.console.print(warning, style="yellow")

        yield advance
