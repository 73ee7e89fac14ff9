"""The last line of a command whose gate `--fail-on` stopped something."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

import pandas as pd
from rich.console import Console

from bench.units import percent

Stopped = tuple[str, float, float, float]
"""What was stopped, its ratio and the ends of its interval."""


def failed(
    least: float | None, stopped: Iterable[Stopped], to: Console, doubts: Sequence[str] = ()
) -> None:
    """Prints what a gate stopped, or the doubt that leaves it unproven; on GitHub as an annotation too."""
    each = list(doubts) or [changed(*row) for row in stopped]
    if not each or least is None:
        return
    share = f":{100 * least:g}%" if least else ""
    line = f"FAILED --fail-on slower{share}: {', '.join(each)}"
    if os.environ.get("GITHUB_ACTIONS"):
        to.print(f"::error::{line}")
    to.print(line, style="bold red")


def changed(name: str, ratio: float, low: float, high: float) -> str:
    """`torch_autograd +3.2 % (2.6–3.8 %)`."""
    return f"{name} {percent(ratio - 1)} ({100 * (low - 1):.1f}–{100 * (high - 1):.1f} %)"


def stopped(rows: pd.DataFrame, name: str = "backend") -> list[Stopped]:
    """The rows of a table as `failed` takes them."""
    return list(rows[[name, "ratio", "ratio_low", "ratio_high"]].itertuples(index=False, name=None))
