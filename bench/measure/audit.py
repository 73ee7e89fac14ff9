"""Whether a worker's own clock can be believed: it is held against the conductor's, which nothing in the worker can reach.

A rule must never reject an honest step: what interrupts a process adds to both clocks, or to the outer one, and is allowed for.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from bench import units
from bench.schema.records import Outside, Visit
from bench.schema.steps import EVEN_STEPS, round_overhead, seconds_per_step, timed_singly

FEW, FEW_PASSES = 10, 5
"""With fewer visits that make passes' numbers nothing is said at all: beside a busy neighbour all of them may have been
interrupted; nor of a single pass. Of few passes the best counts, of more all but a tenth of them, and all but one at least."""
FEW_ROUNDS = 3
"""With fewer rounds in the half of a pass that makes its number, passes are left out more freely: a third of them, and where it
is a single round all but the best. That round may have been interrupted, and nothing beside it tells."""
APART = 0.05
"""Share of a round that its two clocks may differ by, beside twice what asking takes."""
MOVED_ROUNDS, MOVED_STEPS = 0.1, 2.0
"""What putting weights in may take, and taking them out, beside twice what that takes without work: in rounds and in steps."""
EVEN_FEW = 2
"""How many times more rounds may differ from their steps after few passes: beside a busy neighbour most rounds do. Of honest
steps 2.1 of `EVEN_STEPS` were seen after many, 3.9 after few."""
ALL_ASKING, ALL_ROUNDS = 1.25, 0.15
"""How often what asking takes may be spent outside the clock altogether, and in rounds what beside it."""
NEIGHBOURS = 3.0
"""How much more of that than the unluckiest control a step may have had to wait for them."""
AUDITS = 10
"""Visits of a case that have a further round of another length; with fewer, nothing is said of slopes."""
Rounds = Sequence[Mapping[str, Any]]
MODES = ("throughput", "latency", "device")
STEEPER, DEVIATIONS, SPREAD = 1.02, 5, 0.03
"""A slope is too steep if the ratio of a further step's time to that by the worker's clock is above the first in all audits but
one, and their median by so many standard errors, from a spread of at least the third: neighbours make ratios high and low."""
NORMAL = 1.4826
"""Standard deviations of a normal distribution in a median absolute deviation; its median's error is 1.25 that of its mean."""
BUSY = 1.25
"""CPU time over wall time and threads."""
FASTER_THAN_PEAK = {True: 1.1, False: 2.0}
"""How much faster than the best rate of a control a step's arithmetic may seem, where a peak was measured and where not. Peaks
are bounds, but a core's clock may rise between a peak's quickest call and a step's rounds; ceilings are averages."""


def fault(
    visits: Sequence[Visit],
    controls: Sequence[Sequence[Visit]],
    threads: int | None,
    least_seconds: float,
    wider: float = 1.0,
    peak: bool = False,
) -> str | None:
    """A phrase that says how a case's clock was bent or its work hidden; None for an honest one.

    `controls`: the visits of each, which tell what asking takes here. `threads`: None where the CPU's time says nothing of the
    step. `least_seconds`: of a step's arithmetic at the best rate seen in the run; 0 where none was measured. `wider`:
    how many times the bytes of a control's weights have to go in and out, at least 1. `peak`: whether that rate is a bound.
    """
    visits, *controls = ([visit for visit in some if "outside" in visit] for some in (visits, *controls))
    quick = _quicker(visits, "throughput")
    if len(quick) < FEW or len(_passes(visits)) < 2:
        return None
    return (
        _cores(quick, threads)
        or _hidden(visits, controls, wider)
        or _uneven(visits, controls, threads, wider)
        or _bound(visits, least_seconds, FASTER_THAN_PEAK[peak])
        or _slope(visits)
    )


def _quicker(visits: Sequence[Visit], mode: str) -> list[Any]:
    """Of each pass the half that makes its number, which is a median: who hides work in these alone has hidden it in all."""
    some: Sequence[Any] = [visit for visit in visits if visit[f"{mode}_seconds"] is not None]  # type: ignore[literal-required]
    passes = [[visit for visit in some if visit["pass"] == number] for number in _passes(some)]
    ordered = [sorted(each, key=lambda visit: seconds_per_step(visit, mode)) for each in passes]
    return [visit for each in ordered for visit in each[: (len(each) + 1) // 2]]


def _passes(visits: Sequence[Visit]) -> list[int]:
    return sorted({visit["pass"] for visit in visits})


def _waits(visit: Any, mode: str) -> dict[str, float]:
    """Seconds outside the worker's clock, by where they were spent, and all of them."""
    outside = visit["outside"]
    run = outside[f"{mode}_seconds"] - visit[f"{mode}_seconds"]
    waits = {"put": outside["put_seconds"], "take": outside["take_seconds"], "run": run}
    return waits | {"all": sum(waits.values())}


def _hidden(visits: Sequence[Visit], controls: Sequence[Sequence[Visit]], wider: float) -> str | None:
    """A wait beyond what weights in and out take is work that the number lacks, as a share of the number.

    The number is a mean of the logarithms of the passes' medians, and so is the share. Of the rounds that make a median the one
    with the shortest wait counts, and controls, which hide nothing, tell what neighbours make of that. Who interrupts takes
    milliseconds, however short a round is: as much as a step is always allowed.
    """
    steps = visits[0]["steps"]
    moved = MOVED_ROUNDS + MOVED_STEPS / steps
    apart, around = (max(share, 1 / steps) for share in (APART, ALL_ROUNDS))
    allowed = {"put": (2.0, moved), "take": (2.0, moved), "run": (2.0, apart), "all": (ALL_ASKING, around)}
    for mode in MODES:
        quick = _quicker(visits, mode)
        inside = {
            number: median(seconds_per_step(visit, mode) * steps for visit in quick if visit["pass"] == number)
            for number in _passes(quick)
        }
        rounds = min(Counter(visit["pass"] for visit in quick).values(), default=0)
        others = [some for control in controls if (some := _quicker(control, mode))]
        for place, (times, share) in allowed.items():
            asking = max((median(_waits(visit, mode)[place] for visit in some) for some in others), default=1e-3)
            asked = times * asking * (1.0 if place == "run" else wider)
            mine = _share(_shortest(quick, mode, place), asked, inside, rounds)
            theirs = [_share(_shortest(some, mode, place), times * asking, inside, rounds) for some in others]
            if mine > share + NEIGHBOURS * max(theirs, default=0.0):
                shortest = median(_shortest(quick, mode, place).values())
                return _told(place, shortest, median(inside.values()), steps)
    return None


def _shortest(visits: Sequence[Visit], mode: str, place: str) -> dict[int, float]:
    """The shortest wait of each pass."""
    return {n: min(_waits(visit, mode)[place] for visit in visits if visit["pass"] == n) for n in _passes(visits)}


def _uneven(
    visits: Sequence[Visit], controls: Sequence[Sequence[Visit]], threads: int | None, wider: float
) -> str | None:
    """Single steps are believed only as far as a round's add up: one that does the work of others makes them look quick.

    On several threads nobody is accused: where they do not add up, the row's number is that of its rounds (`timed_singly`).
    """
    found = _excess(visits) if threads in (1, None) else None
    if found is None:
        return None
    excess, step = found
    usual = max((other[0] for control in controls if (other := _excess(control))), default=0.0)
    few = 1 if len(_passes(visits)) >= FEW_PASSES else EVEN_FEW
    if excess <= few * EVEN_STEPS * step + max(usual, 0.0) * wider:
        return None
    steps = visits[0]["steps"]
    return (
        f"takes {units.seconds(step)} for a step by itself, {units.seconds(steps * step + excess)} for {steps} of them with "
        "weights in and out, where steps are quickest: something else does their work; do all of it in each step()"
    )


def _excess(visits: Sequence[Visit]) -> tuple[float, float] | None:
    """Seconds from weights in to weights out beside a round's calls, by CPU time where a neighbour took the core away, and a
    step's in the quickest calls. None where calls were not timed each.
    """
    if not visits or not timed_singly(visits):
        return None
    return round_overhead(visits, [min(each["outside"]["span_seconds"], each["outside"]["cpu_seconds"]) for each in visits])


def _share(shortest: Mapping[int, float], asking: float, inside: Mapping[int, float], rounds: int) -> float:
    logs = sorted(math.log1p(max(0.0, shortest[n] - asking) / inside[n]) for n in inside if n in shortest)
    kept = logs[: _kept(len(logs), rounds)]
    return sum(kept) / len(kept) if kept else 0.0


def _kept(passes: int, rounds: int) -> int:
    """How many passes count, those with the shortest waits; `rounds` of each make its number."""
    if passes < FEW_PASSES or rounds < 2:
        return 1
    return passes - max(1, passes // (10 if rounds >= FEW_ROUNDS else 3))


def _told(place: str, seconds: float, inside: float, steps: int) -> str:
    if place == "run":
        own, others = units.seconds(inside / steps), units.seconds((inside + seconds) / steps)
        return f"says by its own clock that a step takes {own}, from outside it takes {others}"
    if place == "all":
        return (
            f"says {units.seconds(inside)} for {steps} steps and spends {units.seconds(seconds)} around them, more than "
            "weights in and out take: it does work where the clock does not run"
        )
    what = {"put": "set_state()", "take": "get_state()"}[place]
    return (
        f"spends {units.seconds(seconds)} in {what} and {units.seconds(inside)} in {steps} steps: it puts work off "
        "until the clock has stopped, or does it before; do all of it inside step() or wait for it in synchronize()"
    )


def deferred_work(rounds: Rounds, steps: int, others: Sequence[Rounds]) -> str | None:
    """The same of a few rounds before anything is timed; `rounds` have the seconds of `Outside`, and `steps` each.

    `others` tell what weights in and out take without any work: of the same step after a single call.
    """
    inside = median(each["throughput_seconds"] for each in rounds)
    for place in ("put", "take"):
        asking = max(min(each[f"{place}_seconds"] for each in other) for other in others)
        seconds = min(each[f"{place}_seconds"] for each in rounds)
        if seconds > 2 * asking + MOVED_ROUNDS * inside + MOVED_STEPS * inside / steps:
            return _told(place, seconds, inside, steps)
    return None


def _slope(visits: Sequence[Visit]) -> str | None:
    """Work that is hidden anywhere between weights in and weights out is in the slope between two lengths of rounds."""
    audited = [visit for visit in visits if "audit_span_seconds" in visit["outside"]]
    if len(audited) < AUDITS:
        return None
    seconds = median(visit["throughput_seconds"] / visit["steps"] for visit in audited)
    ratios = sorted(_further(visit) * visit["steps"] / visit["throughput_seconds"] for visit in audited)
    middle = median(ratios)
    spread = max(SPREAD, NORMAL * median(abs(ratio - middle) for ratio in ratios))
    if min(ratios[1], middle - DEVIATIONS * 1.25 * spread / math.sqrt(len(ratios))) > STEEPER:
        return (
            f"takes {units.seconds(middle * seconds)} for each further step from weights in to weights out, its own clock says "
            f"{units.seconds(seconds)}: it does work where the clock does not run"
        )
    return None


def _further(visit: Visit) -> float:
    """Seconds of a step by the whole spans of two rounds, of which one is longer."""
    outside = visit["outside"]
    return (outside["audit_span_seconds"] - outside["span_seconds"]) / (outside["audit_steps"] - visit["steps"])


def _cores(visits: Sequence[Visit], threads: int | None) -> str | None:
    """Without the worst tenth of the visits: the kernel's list of children may miss one whose brother ends just then."""
    told = sorted((visit["outside"] for visit in visits), key=lambda each: each["cpu_seconds"] / _counted(each))
    kept = told[: len(told) - max(1, len(told) // 10)]
    cpu, span = sum(each["cpu_seconds"] for each in kept), sum(map(_counted, kept))
    if threads is not None and cpu > BUSY * threads * span:
        return f"computes on {cpu / span:.2g} cores, asked for {threads}"
    return None


def _counted(outside: Outside) -> float:
    """Seconds in which CPU time was counted: a round's, with the counting itself."""
    return outside.get("cpu_span_seconds", outside["span_seconds"])


def _bound(visits: Sequence[Visit], least_seconds: float, faster: float) -> str | None:
    passes = [[visit for visit in visits if visit["pass"] == number] for number in _passes(visits)]
    seconds = min(median(visit["throughput_seconds"] / visit["steps"] for visit in some) for some in passes)
    if seconds < least_seconds / faster:
        return (
            f"takes {units.seconds(seconds)} a step, in which this machine can do {seconds / least_seconds:.0%} of a step's "
            "arithmetic at most: it does something else"
        )
    return None
