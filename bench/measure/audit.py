"""Whether a worker's own clock can be believed: it is held against the conductor's, which nothing in the worker can reach.

A rule must never reject an honest step: what interrupts a process adds to both clocks, or to the outer one, and is allowed for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from bench import units
from bench.schema.records import Visit

APART = 0.05
"""Share of a round that its two clocks may differ by, beside what asking takes."""
INTERRUPTED = 0.1
"""Share of the visits, the worst ones, that may have been interrupted between the two clocks."""
MOVED_ROUNDS, MOVED_STEPS = 0.5, 4.0
"""What putting and taking weights together may take, beside what they take of a control: in rounds and in steps."""
STEEPER = 1.15
"""How much more a step may take by the slope between two lengths of rounds than by the worker's clock."""
MODES = ("throughput_seconds", "latency_seconds", "device_seconds")
AUDITS = 5
"""Slopes without which nothing is said of them."""
BUSY = 1.25
"""CPU time over wall time and threads."""
FASTER_THAN_PEAK = 2.0
"""How much faster than the best ceiling's rate a step's arithmetic may seem; ceilings are averages, no bounds."""


def fault(visits: Sequence[Visit], idle: Sequence[Visit], threads: int | None, least_seconds: float) -> str | None:
    """A phrase that says how a case's clock was bent or its work hidden; None for an honest one.

    `idle`: visits of controls, which tell what asking takes. `threads`: None where the CPU's time says nothing of the step.
    `least_seconds`: of a step's arithmetic at the best rate seen in the run; 0 where no ceiling was measured.
    """
    visits, idle = ([visit for visit in some if "outside" in visit] for some in (visits, idle))
    if not visits:
        return None
    return (
        _clocks(visits, idle)
        or moved([visit["outside"] for visit in visits], visits[0]["steps"], idle)
        or _slope(visits)
        or _cores(visits, threads)
        or _bound(visits, least_seconds)
    )


def _clocks(visits: Sequence[Visit], idle: Sequence[Visit]) -> str | None:
    for mode in MODES:
        pairs = _pairs(visits, mode)
        kept = sorted(pairs, key=lambda pair: pair[1] - pair[0])[: len(pairs) - int(len(pairs) * INTERRUPTED)]
        asking = _typical([outer - inner for inner, outer in _pairs(idle, mode)], 5e-4)
        inner, outer = sum(pair[0] for pair in kept), sum(pair[1] for pair in kept)
        if outer - inner > APART * outer + 3 * asking * len(kept):
            steps = len(kept) * visits[0]["steps"]
            own, others = units.seconds(inner / steps), units.seconds(outer / steps)
            return f"says by its own clock that a step takes {own}, from outside it takes {others}"
    return None


def _pairs(visits: Sequence[Visit], mode: str) -> list[tuple[float, float]]:
    """Seconds of a mode's rounds by the worker's clock and by the conductor's."""
    some: Sequence[Any] = visits
    return [(visit[mode], visit["outside"][mode]) for visit in some if visit[mode] is not None]


def moved(rounds: Sequence[Mapping[str, Any]], steps: int, idle: Sequence[Visit] = ()) -> str | None:
    """The same of work that is done while weights go in or out; `rounds` have the seconds of `Outside`, and `steps` each."""
    inside = median(each["throughput_seconds"] for each in rounds)
    for name, what in (("put_seconds", "set_weights()"), ("take_seconds", "get_weights()")):
        asking = _typical([visit["outside"][name] for visit in idle], 1e-3)  # type: ignore[literal-required]
        seconds = median(each[name] for each in rounds)
        if seconds > 3 * asking + MOVED_ROUNDS * inside + MOVED_STEPS * inside / steps:
            return (
                f"spends {units.seconds(seconds)} in {what} and {units.seconds(inside)} in {steps} steps: it puts work off "
                "until the clock has stopped, or does it before; do all of it inside step() or wait for it in synchronize()"
            )
    return None


def _slope(visits: Sequence[Visit]) -> str | None:
    """Work that is hidden anywhere between weights in and weights out is in the slope between two lengths of rounds."""
    audited = [visit for visit in visits if "audit_span_seconds" in visit["outside"]]
    if len(audited) < AUDITS:
        return None
    slopes, own = [], []
    for visit in audited:
        outside = visit["outside"]
        more = outside["audit_steps"] - visit["steps"]
        slopes.append((outside["audit_span_seconds"] - outside["span_seconds"]) / more)
        own.append(visit["throughput_seconds"] / visit["steps"])
    pairs = sorted(zip(slopes, own, strict=True), key=lambda pair: pair[0] / pair[1])
    slope, seconds = pairs[len(pairs) // 10]  # nearly all of them: a neighbour makes some slopes steep, and others flat
    if slope > STEEPER * seconds:
        return (
            f"takes {units.seconds(slope)} for each further step from weights in to weights out, its own clock says "
            f"{units.seconds(seconds)}: it does work where the clock does not run"
        )
    return None


def _cores(visits: Sequence[Visit], threads: int | None) -> str | None:
    cpu, span = (sum(visit["outside"][name] for visit in visits) for name in ("cpu_seconds", "span_seconds"))
    if threads is not None and cpu > BUSY * threads * span:
        return f"computes on {cpu / span:.2g} cores, asked for {threads}"
    return None


def _bound(visits: Sequence[Visit], least_seconds: float) -> str | None:
    steps = sum(visit["steps"] for visit in visits)
    seconds = sum(visit["outside"]["throughput_seconds"] for visit in visits) / steps
    if seconds < least_seconds / FASTER_THAN_PEAK:
        return (
            f"takes {units.seconds(seconds)} a step, in which this machine can do {seconds / least_seconds:.0%} of a step's "
            "arithmetic at most: it does something else"
        )
    return None


def _typical(seconds: Sequence[float], otherwise: float) -> float:
    return median(seconds) if seconds else otherwise
