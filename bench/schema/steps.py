"""The time of a step from a visit's readings: pure functions of the journal's records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate, chain
from statistics import median
from typing import Any

from bench.schema.records import Visit

GRAIN = 1e-9
"""Seconds that the clock counts in: a time below it is none."""
WARM_UP = 4
"""The first quarter of a round's calls warms up caches and pools: it is timed and not counted."""
QUEUED = 0.2
"""A round that spends this share of its time in the wait at its end was queued, on any device."""

EVEN_IN, EVEN_STEPS = 0.1, 4.0
"""This share of the quickest calls has to be in rounds that take at most so many steps more than the
sum of their calls."""


def warm_up(calls: Sequence[float]) -> int:
    """The number of a round's calls that warm up."""
    return len(calls) // WARM_UP


def queues(visit: Visit) -> bool:
    queued = visit["dispatch_seconds"]
    return queued is not None and visit["throughput_seconds"] - queued > QUEUED * visit["throughput_seconds"]


def seconds_per_step(visit: Visit, mode: str) -> float:
    """Of a round in the mode `throughput`, `latency`, `dispatch` or `device`, without its warm-up
    where calls were timed."""
    fields: Mapping[str, Any] = visit
    seconds, calls = fields[f"{mode}_seconds"], fields.get(f"{'latency' if mode == 'latency' else 'throughput'}_call_seconds")
    if not calls or mode == "device" or (mode != "latency" and queues(visit)):
        return float(seconds / visit["steps"])
    warm = warm_up(calls)
    return float(max(GRAIN, (seconds - sum(calls[:warm])) / (visit["steps"] * (1 - warm / len(calls)))))


def timed_singly(visits: Sequence[Visit], threads: int = 1) -> bool:
    """Whether the calls of a case are its steps' own times.

    Each was timed, most rounds were not queued, and on several threads calls add up to rounds: with
    several threads, a slow call may mean that another thread was descheduled.
    """
    if not all(visit["throughput_call_seconds"] for visit in visits) or 2 * sum(map(queues, visits)) >= len(visits):
        return False
    if threads == 1 or not visits:
        return True
    overhead, step = round_overhead(visits, [visit["throughput_seconds"] for visit in visits])
    return overhead <= EVEN_STEPS * step


def round_overhead(visits: Sequence[Visit], seconds: Sequence[float]) -> tuple[float, float]:
    """Seconds of a round besides its calls at their median, and of a step in the quickest calls.

    `seconds`: of each round. The result is that of the rounds that hold the quickest calls, and of
    these the first tenth: next to a busy neighbor most rounds hold more than their own.
    """
    calls: list[Sequence[float]] = [visit["throughput_call_seconds"] or () for visit in visits]
    counted = [each[warm_up(each) :] for each in calls]
    quickest = sorted(chain.from_iterable(counted))
    quick = quickest[len(quickest) // 50]
    rounds = sorted(
        (each - len(late) * median(counts), sum(one <= quick for one in counts))
        for each, late, counts in zip(seconds, calls, counted, strict=True)
    )
    held = accumulate(number for _, number in rounds)
    least = EVEN_IN * sum(number for _, number in rounds)
    pairs = zip(rounds, held, strict=True)
    overhead = next(overhead for (overhead, _), number in pairs if number >= least)
    return overhead, quick * len(calls[0]) / visits[0]["steps"]
