"""A round in three parts, each asked for by itself: weights in, calls and a wait, losses and weights out.

What it starts from, and whether it was right, is for others to know. Nothing that is not the step runs between the start and
the end of the middle part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, SupportsFloat

from numpy.typing import NDArray

from backends.api import TrainStep
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
        queued, seconds, loss, faults = timing.throughput(opened.step, calls)
        opened.losses = [loss]
        return {"seconds": seconds, "queued": queued, "faults": faults}
    if mode == "latency":
        seconds, opened.losses = timing.latency(opened.step, calls)
    else:
        seconds, loss = timing.device(opened.step, calls)
        opened.losses = [loss]
    return {"seconds": seconds}


def take(opened: Opened) -> dict[str, Any]:
    """Losses and weights, and the seconds that reading the weights took."""
    start = perf_counter()
    arrays = gate.handed_out(opened.step, opened.losses, opened.case.dtype)
    return {"arrays": arrays, "readback_seconds": perf_counter() - start}
