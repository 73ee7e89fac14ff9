"""What makes this machine a bad instrument, and what to do about each: every check in one list.

No check is left out in silence: what cannot be read is told as unknown.
"""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.doctor import cpu, gpu, system, worker
from bench.doctor.finding import Finding
from bench.machine import resources
from bench.machine.files import Machine
from bench.schema.records import UNREAD
from bench.settings import Settings

STYLES = {"ok": "green", "bad": "bold red", "unknown": "yellow"}
INSTANT = (system.load, system.quota, cpu.governor, cpu.throttling)
"""The checks that take no time worth speaking of and matter most: made before every run."""


def examine(settings: Settings, machine: Machine | None = None) -> list[Finding]:
    """Makes every check with the threads and the allocator that a run would have; takes a few seconds."""
    machine = machine or Machine()
    sample = system.Sample.take(machine)
    most = max(settings.threads)
    answers = {name: worker.ask(name, most, settings) for name in ("numpy", "torch")}
    return [
        system.load(machine),
        system.neighbours(machine, sample),
        system.steal(machine, sample),
        system.quota(machine),
        system.environment(machine),
        cpu.hypervisor(machine),
        cpu.governor(machine),
        cpu.boost(machine),
        cpu.throttling(machine),
        cpu.smt(machine),
        cpu.cores(machine),
        system.memory(machine, sample, resources.available_memory()),
        system.huge_pages(machine),
        worker.allocator(answers["numpy"], settings.allocator),
        *(worker.threads(name, answer, most) for name, answer in answers.items()),
        worker.kernels(answers["numpy"], machine),
        cpu.clock_source(machine),
        cpu.clock(*cpu.measured_clock()),
        *gpu.check(machine),
    ]


def before_run(machine: Machine | None = None) -> list[str]:
    """A sentence per instant check that found something bad, and one for all those that could not be made."""
    findings = [check(machine or Machine()) for check in INSTANT]
    sentences = [finding.sentence for finding in findings if finding.state == "bad"]
    if unread := ", ".join(finding.what for finding in findings if finding.state == "unknown"):
        sentences.append(f"{UNREAD}: {unread}.")
    return sentences


def show(findings: list[Finding], to: Console) -> None:
    """A row per check; what to do stands below what was found, so that a command stays whole on a narrow screen."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("check", "state"):
        table.add_column(title, no_wrap=True)
    table.add_column("what was found → what to do", overflow="fold")
    for finding in findings:
        text = Text(finding.value)
        if finding.advice:
            text.append(f"\n→ {finding.advice}", style="bold" if finding.state == "bad" else "dim")
        table.add_row(finding.what, Text(finding.state, style=STYLES[finding.state]), text)
    to.print(table, soft_wrap=False)
    counts = {state: sum(finding.state == state for finding in findings) for state in STYLES}
    to.print("checks: " + ", ".join(f"{count} {state}" for state, count in counts.items()))
