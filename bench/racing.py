"""Two sides measured in short runs, one after the other, until every row is decided or the time is up; and the search for
the commit since which a way is slower, whose every step is such a race.

A run is the unit: what differs between runs is in every interval. Each holds both sides in the same blocks, so that weather
goes out, and is kept in a folder of its own like any other. Nothing adapts but the end, for which the error is set aside.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

import pandas as pd
from rich.console import Console

from bench.analyse.estimates import with_interval
from bench.analyse.summaries import Run
from bench.analyse.verdicts import EQUAL, FASTER, SLOWER, UNDECIDED, Estimate, decided, slower_by
from bench.errors import ExitCode, UsageError
from bench.measure.catalogue import catalogue
from bench.plan.cases import Plan, make_plan
from bench.plan.sides import Side
from bench.schema.case import TWIN, Case
from bench.session import run_plan
from bench.settings import Settings
from bench.show import sentences
from bench.units import percent

PROCESSES, BLOCKS = 4, 6
"""Of a run of a race: the spread between runs counts, which short runs show as well as long ones."""
Verdicts = dict[str, tuple[str, Estimate, int]]
Sides = Callable[[str, str], AbstractContextManager[Sequence[Side]]]
Raced = tuple[str, Estimate, str]  # a verdict, its estimate, and the versions of the way's libraries that differ


def race(plan: Plan, runs: int, minutes: float, fail_on: float | None, console: Console) -> ExitCode:
    """As `decide`; WRONG also if a row is SLOWER by the share `fail_on`."""
    verdicts, number, code = decide(plan, runs, minutes, console)
    if code == ExitCode.UNPROVEN:
        return code
    console.print(f"Of {len(verdicts)} ways after {number} runs: {_found(verdicts)}.")
    rows = pd.DataFrame(
        {"backend": Case.parse(key).name, "verdict": verdict, **with_interval("ratio", estimate)}
        for key, (verdict, estimate, _) in verdicts.items()
        if verdict != UNDECIDED
    )
    if fail_on is None or rows.empty:
        return code
    sentences.show_gate(fail_on, rows, console)
    return ExitCode.WRONG if len(slower_by(rows, fail_on)) else code


def decide(plan: Plan, runs: int, minutes: float, console: Console) -> tuple[Verdicts, int, ExitCode]:
    """At most so many runs, and no new one that would not end in time: verdicts on the later side, runs, exit code.

    WRONG if a step is wrong or fails, which ends it; UNPROVEN if the A/A control is called different. Raises `UsageError`, as a
    run does.
    """
    settings, first = replace(plan.settings, processes=PROCESSES, blocks=BLOCKS), plan.sides[0].label
    logs: dict[bool, dict[str, list[float]]] = {True: {}, False: {}}
    end, longest, code = time.monotonic() + 60 * minutes, 0.0, ExitCode.FINE
    verdicts: Verdicts = {}
    for number in range(1, runs + 1):
        start = time.monotonic()
        if number > 1 and start + longest > end:
            console.print(f"{minutes:g} minutes are over after {number - 1} runs (--minutes).")
            return verdicts, number - 1, code
        measured: list[Run] = []
        run_plan(replace(plan, settings=replace(settings, seed=settings.seed + number)), console, measured.append)
        (run,) = measured
        code = ExitCode.WRONG if run.exit_code() == ExitCode.WRONG else code
        for key, ratio in run.table["ratio"].dropna().items():
            twin = bool(run.table.at[key, "kind"] == TWIN)
            if twin or Case.parse(str(key)).side != first:
                logs[twin].setdefault(str(key), []).append(math.log(ratio))
        longest = max(longest, time.monotonic() - start)
        verdicts, controls = (decided(logs[twin], runs, settings.margin) for twin in (False, True))
        console.print(f"run {number} of {runs} at most: {_found(verdicts)}")
        if apart := [verdict for verdict, *_ in controls.values() if verdict not in (UNDECIDED, EQUAL)]:
            console.print(f"UNPROVEN: the A/A control is {apart[0]} than its baseline; measure again.", style="bold red")
            return verdicts, number, ExitCode.UNPROVEN
        if code or (verdicts and all(verdict != UNDECIDED for verdict, *_ in verdicts.values())):
            break
    return verdicts, number, code


def _found(verdicts: Verdicts) -> str:
    """`1 SLOWER (torch_autograd +4.1 % (3.8–4.4 %)), 1 UNDECIDED (...)`, with plain 95 % intervals."""
    parts = []
    for verdict in (SLOWER, FASTER, EQUAL, UNDECIDED):
        rows = {Case.parse(key).name: estimate for key, (called, estimate, _) in verdicts.items() if called == verdict}
        if rows:
            parts.append(f"{len(rows)} {verdict} ({', '.join(_shown(*row) for row in rows.items())})")
    return ", ".join(parts) or "nothing has a ratio"


def _shown(way: str, estimate: Estimate) -> str:
    ratio, low, high = map(math.exp, (estimate.mean, *estimate.interval()))
    return sentences.changed(way, ratio, low, high) if low > 0 else f"{way} {percent(ratio - 1)}"  # one run has no interval


def bisect(
    subjects: Mapping[str, str], sides: Sides, settings: Settings, runs: int, minutes: float, console: Console
) -> ExitCode:
    """`subjects` of names in order, the fast one first; `sides` gives those of two; limits are those of each race.

    A step asks whether a candidate is slower than the first name by half of what the last name is. One that cannot be decided
    is skipped. The last race, of the neighbours that are left, is independent of the search. Raises `UsageError`.
    """
    way, names = settings.backends[0], [*subjects]
    good, bad, unknown = 0, len(names) - 1, set[int]()

    def raced(base: int, head: int, margin: float) -> Raced:
        console.print(f"{names[head]} {subjects[names[head]]} compared with {names[base]}:", style="bold")
        with sides(names[base], names[head]) as both:
            return _raced(way, tuple(both), replace(settings, margin=margin), runs, minutes, console)

    whole = last = raced(good, bad, settings.margin)
    if whole[0] != SLOWER:
        found = f"{_shown(way, whole[1])} at {names[bad]} over {names[good]} is {whole[0]}"
        console.print(f"Nothing to find: {found}; name others, or give more --runs.")
        return ExitCode.UNPROVEN
    half = math.expm1(whole[1].mean / 2)
    while left := [number for number in range(good + 1, bad) if number not in unknown]:
        middle = min(left, key=lambda number: abs(2 * number - good - bad))
        try:
            verdict = raced(0, middle, half)[0]
        except UsageError as error:
            console.print(f"{names[middle]} is skipped: {error}")
            verdict = UNDECIDED
        if verdict == UNDECIDED:
            unknown.add(middle)
        elif verdict == SLOWER:
            bad = middle
        else:
            good = middle
    if (good, bad) != (0, len(names) - 1):
        last = raced(good, bad, settings.margin)
    suspects = [f"{name} ({subjects[name]})" if subjects[name] else name for name in names[good + 1 : bad + 1]]
    proven, found = len(suspects) == 1 and last[0] == SLOWER, " or ".join(suspects)
    found += "" if proven else " (no race could decide between these)" if suspects[1:] else f", but the last race is {last[0]}"
    console.print(f"Slower since {found}: {_shown(way, last[1])}{last[2]} over {names[good]}; {_shown(way, whole[1])} in all.")
    if proven:
        console.print("The last race is independent of the search: of 100 equal pairs it calls at most one SLOWER, on average.")
    return ExitCode.FINE if proven else ExitCode.UNPROVEN


def _raced(way: str, sides: tuple[Side, ...], settings: Settings, runs: int, minutes: float, console: Console) -> Raced:
    """Raises `UsageError` if a side cannot run the way, or not soundly."""
    plan = make_plan(settings, *catalogue(settings, sides))
    if holes := [hole for hole in plan.holes if hole.case.backend == way]:
        raise UsageError("; ".join(f"{hole.case} {hole.reason}" for hole in holes) + ".")
    if len(plan.cases) != 2:
        cases = ", ".join(case.key for case in plan.cases[::2])
        raise UsageError(f"bisect --way {way}: has the cases {cases}; name one by --devices, --dtypes, --threads and --shapes.")
    verdicts, _, code = decide(plan, runs, minutes, console)
    if code == ExitCode.WRONG or not verdicts:
        what = "is wrong or fails" if code == ExitCode.WRONG else "has no time"
        raise UsageError(f"{way} {what} at {' or '.join(side.label for side in sides)}; see the run above.")
    ((verdict, estimate, _),) = verdicts.values()
    before, after = (side.backends[way].versions for side in plan.sides)
    versions = (f", {name} {before.get(name)} → {after[name]}" for name in after if after[name] != before.get(name))
    return UNDECIDED if code else verdict, estimate, "".join(versions)
