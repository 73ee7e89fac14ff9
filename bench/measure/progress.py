"""What a run shows while it measures: a bar in a terminal, lines elsewhere, failures and
warnings as they come. It draws between blocks, while no worker runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from bench.plan.cases import Plan
from bench.schema.records import Record

SILENCE = 30
"""Seconds between two lines where no bar is drawn."""


@contextmanager
def shown(plan: Plan, console: Console) -> Iterator[Callable[[Record], None]]:
    """A bar in a terminal; elsewhere a line at the start and after passes."""
    settings = plan.settings
    console.print(
        f"stepbench: {len(plan.cases)} case{'s' * (len(plan.cases) != 1)} and {len(plan.controls)} controls, "
        f"{settings.processes} passes of {settings.blocks} blocks, {settings.steps} steps a round",
    )
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("pass {task.fields[number]}"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, auto_refresh=False, disable=not console.is_terminal) as progress:
        bar = progress.add_task("measuring", total=plan.visits, number=1)
        said, quiet_until = {""}, 0.0

        def advance(record: Record) -> None:
            nonlocal quiet_until
            if record["record"] == "visit":
                progress.advance(bar)
            elif record["record"] == "block":  # drawn between blocks and by no thread: nothing runs beside a worker
                done = record["pass"] + 1
                progress.update(bar, number=done, refresh=True)
                if not console.is_terminal and record["block"] == settings.blocks - 1 and record["at_seconds"] > quiet_until:
                    quiet_until = record["at_seconds"] + SILENCE
                    left = record["at_seconds"] * (settings.processes - done) / done
                    console.print(f"pass {done} of {settings.processes} done; about {left:.0f} s are left")
            elif record["record"] == "failure":
                progress.console.print(f"{record['status']}: {record['reason']}")
            elif (warning := _warning(record)) not in said:
                said.add(warning)
                progress.console.print(warning, style="yellow")

        yield advance


def _warning(record: Record) -> str:
    """What a pass or a profile has to say; `bench.doctor` has told of any other load before."""
    if record["record"] == "pass" and record.get("other_runs"):
        others = record["other_runs"]
        what = "1 other run of stepbench is" if others == 1 else f"{others} other runs of stepbench are"
        return f"busy: {what} measuring on this machine; all will be noisy."
    return record.get("uncounted", "") if record["record"] == "profile" else ""
