"""Hands rounds that were measured elsewhere to pytest-benchmark's ordinary `benchmark` fixture.

Nothing is measured here: as a timer it only tells what a worker's clock has told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator


class ReplayClock:
    """A timer for `pytest.mark.benchmark(timer=clock)`, with `clock.step` as the function to be timed.

    pytest-benchmark reads its timer once before and once after each call: the first reading is 0, the second is the
    recorded duration, so no digit is lost to a running sum.
    """

    def __init__(self) -> None:
        self._rounds: Iterator[float] = iter(())
        self._now = 0.0

    def __repr__(self) -> str:
        return "stepbench worker (time.perf_counter)"

    def load(self, rounds: Iterable[float]) -> None:
        """The seconds of each round to come, in measured order."""
        self._rounds = iter(rounds)

    def step(self) -> None:
        self._now = next(self._rounds)

    def __call__(self) -> float:
        now, self._now = self._now, 0.0
        return now
