"""A training printed as a script would: `epoch - loss`, a line each."""

from __future__ import annotations

from backends.api import DTYPES, TrainStep


def show(step: TrainStep, epochs: int, dtype: str) -> None:
    """Trains, printing each loss as soon as it is known."""
    for epoch in range(epochs):
        print(epoch, "-", f"{float(step.step()):.{DTYPES[dtype].decimals}e}")
