"""Every check in one table, for the command; the instant ones in sentences, for a run.

No check is left out in silence: what cannot be read is shown as unknown.
"""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.doctor import gpu
from bench.doctor.checks import CHECKS, Finding, sampled
from bench.machine.resources import Machine
from bench.schema.records import UNREAD

STYLES = {"ok": "green", "bad": "bold red", "unknown": "yellow"}
BEFORE_RUNS = ("load", "CPU quota", "CPU governor", "CPU throttling")
"""The checks that take no time worth speaking of and matter most."""


def examine() -> dict[str, Finding]:
    """Makes every check; takes about half a second."""
    machine = Machine()
    found = sampled(machine)  # before this process does anything else
    return {what: check(machine) for what, check in CHECKS.items()} | found | gpu.check(machine)


def before_run(machine: Machine | None = None) -> list[str]:
    """A sentence per instant check that found something bad, and one for all those that could not be made."""
    machine = machine or Machine()
    findings = {what: CHECKS[what](machine) for what in BEFORE_RUNS}
    sentences = [f"{what}: {found.value}; {found.advice}." for what, found in findings.items() if found.state == "bad"]
    if unread := ", ".join(what for what, found in findings.items() if found.state == "unknown"):
        sentences.append(f"{UNREAD}: {unread}.")
    return sentences


def show(findings: dict[str, Finding], to: Console) -> None:
    """A row per check; what to do stands below what was found, so that a command stays whole on a narrow screen."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("check", "state"):
        table.add_column(title, no_wrap=True)
    table.add_column("what was found → what to do", overflow="fold")
    for what, finding in findings.items():
        text = Text(finding.value)
        if finding.advice:
            text.append(f"\n→ {finding.advice}", style="bold" if finding.state == "bad" else "dim")
        table.add_row(what, Text(finding.state, style=STYLES[finding.state]), text)
    to.print(table, soft_wrap=False)
    counts = {state: sum(finding.state == state for finding in findings.values()) for state in STYLES}
    to.print("checks: " + ", ".join(f"{count} {state}" for state, count in counts.items()))
