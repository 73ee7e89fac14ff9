"""A round in three parts, each asked for by itself: weights in, calls and a wait, losses and weights out.

What it starts from, and whether it was right, is for others to know. Nothing that is not the step runs between the start and
the end of the middle part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from time import perf_counter
from typing import Any, SupportsFloat

from numpy.typing import NDArray

from backends.api import TrainStep
from bench.machine.devices import kind_of
from bench.schema.case import Case
from bench.worker import gate, timing


@dataclass
class Opened:
    """A step that is ready to be visited."""

    case: Case
    step: TrainStep
    losses: Sequence[SupportsFloat] = ()
    """Of the latest calls, as far as they are to be told: fetched only when they are handed out."""


def put(opened: Opened, weights: Sequence[NDArray[Any]]) -> dict[str, Any]:
    opened.step.set_weights(*weights)
    opened.step.synchronize()
    return {}


def run(opened: Opened, mode: str, calls: int) -> dict[str, Any]:
    """Seconds of a whole round in one mode, by this process's own clock; by the device's in the mode `device`."""
    if mode == "throughput":
        # a clock that is read between launches would be part of what a queued device waits for
        each = not kind_of(opened.case.device).queued
        ran = timing.throughput(opened.step, calls, each)
        opened.losses = [ran.loss]
        queued, between = ran.readings[-1] - ran.readings[0], _between(ran.readings) if each else None
        return {"seconds": ran.seconds, "queued": queued, "calls": between, "faults": ran.faults}
    if mode == "latency":
        readings, opened.losses = timing.latency(opened.step, calls)
        return {"seconds": readings[-1] - readings[0], "calls": _between(readings)}
    seconds, loss = timing.device(opened.step, calls)
    opened.losses = [loss]
    return {"seconds": seconds}


def _between(readings: Sequence[float]) -> list[float]:
    """Seconds of each call, to the nanosecond that the clock counts."""
    return [round(after - before, 9) for before, after in pairwise(readings)]


def take(opened: Opened) -> dict[str, Any]:
    """Losses and weights, and the seconds that reading the weights took."""
    start = perf_counter()
    arrays = gate.handed_out(opened.step, opened.losses, opened.case.dtype)
    return {"arrays": arrays, "readback_seconds": perf_counter() - start}
