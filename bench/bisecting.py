"""Finds since when a way is slower, among revisions or interpreters in order: a binary search whose every step is a race."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from rich.console import Console

from bench.analyse.verdicts import SLOWER, UNDECIDED, Estimate
from bench.errors import ExitCode, UsageError
from bench.measure.catalogue import catalogue
from bench.plan.cases import make_plan
from bench.plan.sides import Side
from bench.racing import decide
from bench.settings import Settings
from bench.show.gates import changed

Sides = Callable[[str, str], AbstractContextManager[Sequence[Side]]]
Raced = tuple[str, Estimate, str]
"""A verdict, its estimate, and the versions of the way's libraries that differ."""


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
            return _race(way, tuple(both), replace(settings, margin=margin), runs, minutes, console)

    whole = raced(good, bad, settings.margin)
    if whole[0] != SLOWER:
        found = f"{_shown(way, whole)} at {names[bad]} over {names[good]} is {whole[0]}"
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
    last = whole if (good, bad) == (0, len(names) - 1) else raced(good, bad, settings.margin)
    suspects = [f"{name} ({subjects[name]})" if subjects[name] else name for name in names[good + 1 : bad + 1]]
    proven, found = len(suspects) == 1 and last[0] == SLOWER, " or ".join(suspects)
    found += "" if proven else " (no race could decide between these)" if suspects[1:] else f", but the last race is {last[0]}"
    console.print(f"Slower since {found}: {_shown(way, last)}{last[2]} over {names[good]}; {_shown(way, whole)} in all.")
    if proven:
        console.print("The last race is independent of the search: of 100 equal pairs it calls at most one SLOWER, on average.")
    return ExitCode.FINE if proven else ExitCode.UNPROVEN


def _race(way: str, sides: tuple[Side, ...], settings: Settings, runs: int, minutes: float, console: Console) -> Raced:
    """Raises `UsageError` if a side cannot run the way, or not soundly."""
    plan = make_plan(settings, *catalogue(settings, sides))
    if holes := [hole for hole in plan.holes if hole.case.backend == way]:
        raise UsageError("; ".join(f"{hole.case} {hole.reason}" for hole in holes) + ".")
    if len(plan.cases) != 2:
        cases = ", ".join(case.path for case in plan.cases[::2])
        raise UsageError(f"bisect --way {way}: has the cases {cases}; name one by --devices, --dtypes, --threads and --shapes.")
    verdicts, _, code = decide(plan, runs, minutes, console)
    labels = " or ".join(side.label for side in plan.sides)
    if code == ExitCode.WRONG or not verdicts:
        what = "is wrong or fails" if code == ExitCode.WRONG else "has no time"
        raise UsageError(f"{way} {what} at {labels}; see the run above.")
    ((verdict, estimate, _),) = verdicts.values()
    before, after = (side.backends[way].versions for side in plan.sides)
    versions = (f"{name} {before.get(name)} → {after[name]}" for name in after if after[name] != before.get(name))
    return UNDECIDED if code else verdict, estimate, "".join(f", {each}" for each in versions)


def _shown(way: str, raced: Raced) -> str:
    return changed(way, *map(math.exp, (raced[1].mean, *raced[1].interval())))
