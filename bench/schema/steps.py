"""What a visit's readings say of a step: pure functions of the journal's records, for whoever judges a clock or a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate, chain
from statistics import median
from typing import Any

from bench.schema.records import Visit

GRAIN = 1e-9
"""Seconds that the clock counts in: a time below it is none."""
WARM_UP = 4
"""The first quarter of a round's calls warms up what the conductor's asking has let cool: timed, and not counted."""
QUEUED = 0.2
"""A round that spends so much of its time in the wait at its end is one of a library that queues, on whatever device."""

EVEN_IN, EVEN_STEPS = 0.1, 4.0
"""Of the quickest calls so many have to be in rounds that add up, to so many steps more than their calls."""


def warm_up(calls: Sequence[float]) -> int:
    """How many of a round's calls warm up."""
    return len(calls) // WARM_UP


def queues(visit: Visit) -> bool:
    queued = visit["dispatch_seconds"]
    return queued is not None and visit["throughput_seconds"] - queued > QUEUED * visit["throughput_seconds"]


def seconds_per_step(visit: Visit, mode: str) -> float:
    """Of a round in the mode `throughput`, `latency`, `dispatch` or `device`, its warm-up left out where it is known."""
    fields: Mapping[str, Any] = visit
    seconds, calls = fields[f"{mode}_seconds"], fields.get(f"{'latency' if mode == 'latency' else 'throughput'}_call_seconds")
    if not calls or mode == "device" or (mode != "latency" and queues(visit)):
        return float(seconds / visit["steps"])
    warm = warm_up(calls)
    return float(max(GRAIN, (seconds - sum(calls[:warm])) / (visit["steps"] * (1 - warm / len(calls)))))


def timed_singly(visits: Sequence[Visit], threads: int = 1) -> bool:
    """Whether the calls of a case are its steps' own times: each was timed, most rounds were not queued, and on several threads
    they add up, for what a thread computes while another has lost its core tells nobody why a call took long.
    """
    if not all(visit.get("throughput_call_seconds") for visit in visits) or 2 * sum(map(queues, visits)) >= len(visits):
        return False
    if threads == 1 or not visits:
        return True
    beside, step = beside_calls(visits, [visit["throughput_seconds"] for visit in visits])
    return beside <= EVEN_STEPS * step


def beside_calls(visits: Sequence[Visit], seconds: Sequence[float]) -> tuple[float, float]:
    """What a round takes beside its calls at their median, and a step in the quickest calls. `seconds`: of each round.

    It is that of the rounds which hold the quickest calls, and of these the first tenth: beside a neighbour most rounds hold
    more than their own.
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
    beside = next(beside for (beside, _), number in zip(rounds, held, strict=True) if number >= least)
    return beside, quick * len(calls[0]) / visits[0]["steps"]
