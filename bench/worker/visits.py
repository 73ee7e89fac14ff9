"""The three requests of a round: state in; calls and a wait; losses and state out.

The worker does not check correctness. Only the step runs between the two ends of `run`.
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
class LoadedStep:
    """A step that is ready to be visited."""

    case: Case
    step: TrainStep
    names: Sequence[str]
    """Of the state's arrays."""
    losses: Sequence[SupportsFloat] = ()
    """Of the latest calls; `take` fetches them."""


def put(loaded: LoadedStep, state: Sequence[NDArray[Any]]) -> dict[str, Any]:
    loaded.step.set_state(*state)
    loaded.step.synchronize()
    return {}


def run(loaded: LoadedStep, mode: str, calls: int) -> dict[str, Any]:
    """Seconds of a round by this process's clock; by the device's clock in the mode `device`."""
    if mode == "throughput":
        # a clock that is read between launches would add to what a queued device waits for
        each = not kind_of(loaded.case.device).queued
        ran = timing.throughput(loaded.step, calls, each)
        loaded.losses = [ran.loss]
        return {
            "seconds": ran.seconds,
            "queued": ran.readings[-1] - ran.readings[0],
            "calls": _between(ran.readings) if each else None,
            "minor_faults": ran.faults,
        }
    if mode == "latency":
        readings, loaded.losses = timing.latency(loaded.step, calls)
        return {"seconds": readings[-1] - readings[0], "calls": _between(readings)}
    seconds, loss = timing.device(loaded.step, calls)
    loaded.losses = [loss]
    return {"seconds": seconds}


def _between(readings: Sequence[float]) -> list[float]:
    """Seconds of each call, to the nanosecond that the clock counts."""
    return [round(after - before, 9) for before, after in pairwise(readings)]


def take(loaded: LoadedStep) -> dict[str, Any]:
    """Losses and state, and the seconds that reading them took."""
    start = perf_counter()
    arrays = gate.hand_out(loaded.step, loaded.losses, loaded.case.dtype, loaded.names)
    return {"arrays": arrays, "readback_seconds": perf_counter() - start}
