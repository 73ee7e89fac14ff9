"""The timed regions: the only code in the project that runs with the clock on.

Nothing may stand between two readings of the clock but the calls that the round is about.
"""

from __future__ import annotations

import gc
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from time import perf_counter
from typing import SupportsFloat

from backends.api import TrainStep


@contextmanager
def _collector_off() -> Iterator[None]:
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@dataclass(frozen=True)
class Throughput:
    """Calls of `step()` queued, and one wait."""

    readings: list[float]
    """Of the clock in seconds: before the first call, and after each where each is timed, else after the last."""
    seconds: float
    """From before the first call to after the wait."""
    loss: SupportsFloat
    """The last call's."""
    faults: int
    """Minor page faults."""


def throughput(step: TrainStep, calls: int, each: bool) -> Throughput:
    """`calls` calls of `step()` queued and one wait. `each`: the clock is read after every call, not after the last alone."""
    run = step.step
    loss: SupportsFloat = 0.0
    readings = [0.0] * (calls + 1 if each else 2)
    with _collector_off():
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        readings[0] = perf_counter()
        if each:
            for number in range(1, calls + 1):
                loss = run()
                readings[number] = perf_counter()
        else:
            for _ in repeat(None, calls):
                loss = run()
            readings[1] = perf_counter()
        step.synchronize()
        seconds = perf_counter() - readings[0]
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
    return Throughput(readings, seconds, loss, faults)


def latency(step: TrainStep, calls: int) -> tuple[list[float], list[float]]:
    """`calls` calls of `step()`, each waited for by fetching its loss: readings of the clock before and after each, losses."""
    run, losses, readings = step.step, [0.0] * calls, [0.0] * (calls + 1)
    with _collector_off():
        readings[0] = perf_counter()
        for number in range(calls):
            losses[number] = float(run())
            readings[number + 1] = perf_counter()
    return readings, losses


def device(step: TrainStep, calls: int) -> tuple[float, SupportsFloat]:
    """`calls` calls of `step()` by the device's own clock, for a step that has one: (seconds, the last loss)."""
    run = step.step
    loss: SupportsFloat = 0.0
    with _collector_off():
        start = step.mark()
        for _ in repeat(None, calls):
            loss = run()
        end = step.mark()
        step.synchronize()
    return step.seconds_between(start, end), loss
