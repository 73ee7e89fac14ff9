"""Whether a step puts work off until its weights are read: the time of reading them after one step and after many."""

from __future__ import annotations

from time import perf_counter

from backends.api import TrainStep, Weights
from bench.errors import Wrong


def read(step: TrainStep) -> tuple[float, Weights]:
    """Seconds that it took to read the weights, and the weights."""
    start = perf_counter()
    weights = step.get_weights()
    return perf_counter() - start, weights


def late(short: float, long: float, round_seconds: float) -> bool:
    """Whether weights came back so much later after a whole round than after one step that work may have been put off."""
    return long - short > 0.1 * round_seconds + 20e-6


def judge(short: float, long: float, round_seconds: float) -> None:
    """Raises `Wrong` if reading the weights takes longer after many steps than after one: work was put off."""
    if late(short, long, round_seconds):
        raise Wrong(
            f"reads back its weights in {short * 1e6:.0f} µs after one step and {long * 1e6:.0f} µs after many: it puts "
            "work off until the clock has stopped; do the whole step inside step() or wait for it in synchronize()"
        )
