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


def throughput(step: TrainStep, steps: int) -> tuple[float, SupportsFloat, int]:
    """`steps` steps queued and one wait: (seconds, the last loss, minor page faults)."""
    run = step.step
    loss: SupportsFloat = 0.0
    with _collector_off():
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        start = perf_counter()
        for _ in repeat(None, steps):
            loss = run()
        step.synchronize()
        seconds = perf_counter() - start
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
    return seconds, loss, faults


def latency(step: TrainStep, steps: int) -> tuple[float, list[float]]:
    """`steps` steps, each waited for by fetching its loss: (seconds, losses)."""
    run, losses = step.step, [0.0] * steps
    with _collector_off():
        start = perf_counter()
        for number in range(steps):
            losses[number] = float(run())
        seconds = perf_counter() - start
    return seconds, losses


def device(step: TrainStep, steps: int) -> tuple[float, SupportsFloat]:
    """`steps` steps by the device's own clock, for a step that has one: (seconds, the last loss)."""
    run = step.step
    loss: SupportsFloat = 0.0
    with _collector_off():
        start = step.mark()
        for _ in repeat(None, steps):
            loss = run()
        end = step.mark()
        step.synchronize()
    return step.seconds_between(start, end), loss
