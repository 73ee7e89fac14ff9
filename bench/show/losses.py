"""A training as the scripts that the project grew from meant to print it: `epoch - loss`, a line each."""

from __future__ import annotations

from backends.api import TrainStep

DECIMALS = {"float32": 4, "float64": 12, "tf32": 2, "bfloat16": 1}
"""What every way of summing agrees on after ten epochs."""


def show(step: TrainStep, epochs: int, dtype: str) -> None:
    """Trains, printing each loss as soon as it is known."""
    for epoch in range(epochs):
        print(epoch, "-", f"{float(step.step()):.{DECIMALS[dtype]}e}")
