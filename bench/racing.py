"""Two sides measured in short runs, one after the other, until every row is decided or the time is up.

A run is the unit: what differs between runs is in every interval. Each holds both sides in the same blocks, so that weather
goes out, and is kept in a folder of its own like any other. Nothing adapts but the end, for which the error is set aside.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace

from rich.console import Console

from bench.analyse.run import Run
from bench.analyse.verdicts import EQUAL, FASTER, SLOWER, UNDECIDED, Estimate, decided
from bench.errors import ExitCode
from bench.plan.cases import Plan
from bench.schema.case import TWIN, Case
from bench.session import run_plan
from bench.show import gates
from bench.units import percent, span

PROCESSES, BLOCKS = 4, 6
"""Of a run of a race: the spread between runs counts, which short runs show as well as long ones."""
Verdicts = dict[str, tuple[str, Estimate, int]]


def race(plan: Plan, runs: int, minutes: float, fail_on: float | None, console: Console) -> ExitCode:
    """As `decide`; WRONG also if a row is SLOWER by the share `fail_on`."""
    verdicts, number, code = decide(plan, runs, minutes, console)
    if code == ExitCode.UNPROVEN:
        return code
    console.print(_ending(verdicts, number))
    stopped: list[gates.Stopped] = []
    for key, (verdict, estimate, _) in verdicts.items():
        if verdict == SLOWER and fail_on is not None and math.expm1(estimate.mean) >= fail_on:
            low, high = map(math.exp, estimate.interval())
            stopped.append((Case.parse(key).name, math.exp(estimate.mean), low, high))
    gates.failed(fail_on, stopped, console)
    return ExitCode.WRONG if stopped else code


def decide(plan: Plan, runs: int, minutes: float, console: Console) -> tuple[Verdicts, int, ExitCode]:
    """At most so many runs, and no new one that would not end in time: verdicts on the later side, runs, exit code.

    WRONG if a step is wrong or fails, which ends it; UNPROVEN if the A/A control is called different. Raises `UsageError`, as a
    run does.
    """
    plan = replace(plan, settings=replace(plan.settings, processes=PROCESSES, blocks=BLOCKS))
    margin, first = plan.settings.margin, plan.sides[0].label
    logs: dict[bool, dict[str, list[float]]] = {True: {}, False: {}}
    end, longest, code = time.monotonic() + 60 * minutes, 0.0, ExitCode.FINE
    verdicts: Verdicts = {}
    for number in range(1, runs + 1):
        start = time.monotonic()
        if number > 1 and start + longest > end:
            number -= 1
            console.print(f"{minutes:g} minutes are over after {number} runs (--minutes).")
            break
        measured: list[Run] = []
        seed = plan.settings.seed + number
        run_plan(replace(plan, settings=replace(plan.settings, seed=seed)), console, measured.append)
        (run,) = measured
        code = max(code, ExitCode.WRONG if run.exit_code() == ExitCode.WRONG else ExitCode.FINE)
        for key, ratio in run.table["ratio"].dropna().items():
            twin, case = bool(run.table.at[key, "kind"] == TWIN), Case.parse(str(key))
            if case.side != first or twin:
                logs[twin].setdefault(case.key, []).append(math.log(ratio))
        longest = max(longest, time.monotonic() - start)
        verdicts, controls = (decided(logs[twin], runs, margin) for twin in (False, True))
        console.print(f"run {number} of {runs} at most: {_progress(verdicts)}")
        if apart := [verdict for verdict, *_ in controls.values() if verdict not in (UNDECIDED, EQUAL)]:
            console.print(f"UNPROVEN: the A/A control is {apart[0]} than its baseline; measure again.", style="bold red")
            return verdicts, number, ExitCode.UNPROVEN
        if code or (verdicts and all(verdict != UNDECIDED for verdict, *_ in verdicts.values())):
            break
    return verdicts, number, code


def _ending(verdicts: Verdicts, runs: int) -> str:
    """What a race found: `Of 5 ways after 4 runs: 1 SLOWER (torch_autograd +4.1 %), ...`"""
    parts = []
    for verdict in (SLOWER, FASTER, EQUAL, UNDECIDED):
        rows = {Case.parse(key).name: estimate.mean for key, (called, estimate, _) in verdicts.items() if called == verdict}
        named = [f"{name} {percent(math.expm1(mean))}" for name, mean in rows.items()]
        if rows:
            parts.append(f"{len(rows)} {verdict} ({', '.join(named)})")
    return f"Of {len(verdicts)} ways after {runs} runs: {', '.join(parts) or 'nothing has a ratio'}."


def _progress(verdicts: Verdicts) -> str:
    """Each row's ratio with its plain 95 % interval, and its verdict once it has one."""
    return "; ".join(
        f"{Case.parse(key).name} {math.exp(estimate.mean):.3f} ({span(*map(math.exp, estimate.interval()))}) "
        f"{verdict if verdict != UNDECIDED else 'open'}"
        for key, (verdict, estimate, _) in verdicts.items()
    )
