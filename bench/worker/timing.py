"""The timed regions: the only code in the project that runs with the clock on.

Nothing may stand between two readings of the clock but the calls that the round is about.
"""

from __future__ import annotations

import gc
import resource
from collections.abc import Iterator
from contextlib import contextmanager
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


def throughput(step: TrainStep, calls: int) -> tuple[float, float, SupportsFloat, int]:
    """`calls` calls of `step()` queued and one wait: (seconds until all were queued, seconds, last loss, minor page faults)."""
    run = step.step
    loss: SupportsFloat = 0.0
    with _collector_off():
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        start = perf_counter()
        for _ in repeat(None, calls):
            loss = run()
        queued = perf_counter() - start
        step.synchronize()
        seconds = perf_counter() - start
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
    return queued, seconds, loss, faults


def latency(step: TrainStep, calls: int) -> tuple[float, list[float]]:
    """`calls` calls of `step()`, each waited for by fetching its loss: (seconds, losses)."""
    run, losses = step.step, [0.0] * calls
    with _collector_off():
        start = perf_counter()
        for number in range(calls):
            losses[number] = float(run())
        seconds = perf_counter() - start
    return seconds, losses


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
