"""A run's folder: every file but the journal, written from it.

No number may be written that is not in the journal.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from rich.console import Console

from bench.analyse import summaries
from bench.analyse.run import Run
from bench.errors import UsageError
from bench.record import frame
from bench.show import findings, tables


def write(run: Run) -> None:
    """(Re)builds every file of the run's folder from its journal, each under a temporary name first.

    Raises `UsageError` if there is no room for them; the journal is not touched.
    """
    try:
        for name, text in _files(run).items():
            _replace(run.folder / name, text)
    except OSError as error:
        raise UsageError(
            f"{run.folder}: its tables cannot be written: {error.strerror}; the journal is safe, so make room and run "
            f"`python -m bench summary {run.folder}`."
        ) from None


def show(run: Run, to: Console, controls: bool = False) -> None:
    """Prints what was measured, the run's table, what it found, its doubts, and what to do next."""
    to.print(findings.measured(run))
    if disturbed := findings.disturbed(run.story):
        to.print(disturbed, style="yellow")
    tables.terminal(run.table, to, controls)
    for sentence in findings.told(run):
        to.print(sentence)
    for doubt in run.doubts:
        to.print(doubt, style="bold red")
    for note in tables.notes(run.table):
        to.print(note)
    for number, command in enumerate(findings.next_commands(run)):
        to.print(f"{'next:' if number == 0 else '     '} {command}", soft_wrap=True)
    to.print(f"saved in {run.folder}", soft_wrap=True)


def _files(run: Run) -> dict[str, str]:
    header = run.story.header
    facts = {**header["machine"], "settings": header["settings"]}
    return {
        "summary.csv": summaries.only_ok_times(run.table).to_csv(index=False),
        "samples.csv": frame.samples(run.story).to_csv(index=False),
        "environment.json": json.dumps(facts, indent=2) + "\n",
        "summary.md": "\n".join([f"# {header['run']}", "", *_above(run), "", tables.markdown(run.table)]),
    }


def _above(run: Run) -> list[str]:
    """What stands above the table, a paragraph each."""
    lines = [findings.measured(run), findings.disturbed(run.story), *findings.told(run), *run.doubts]
    return "\n\n".join(filter(None, lines)).splitlines()


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
