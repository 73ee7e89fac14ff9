"""The last line of a command with a gate, `--fail-on`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

import pandas as pd
from rich.console import Console

from bench.analyse.verdicts import UNDECIDED
from bench.units import percent

Stopped = tuple[str, float, float, float]
"""What was stopped, its ratio and the ends of its interval."""


def failed(
    least: float | None, stopped: Iterable[Stopped], to: Console, doubts: Sequence[str] = (), undecided: Iterable[Stopped] = ()
) -> None:
    """Prints what a gate stopped, or the doubt that leaves it unproven; on GitHub as an annotation too.

    `undecided` may be slower by `least`: they pass, and are named.
    """
    if least is None:
        return
    gate = f"--fail-on slower{f':{100 * least:g}%' if least else ''}"
    if doubts:
        line = f"{gate} proves nothing: {' '.join(doubts)}"
    elif each := [changed(*row) for row in stopped]:
        line = f"FAILED {gate}: {', '.join(each)}"
    else:
        if each := [changed(*row) for row in undecided]:
            to.print(f"UNDECIDED, so not stopped by {gate}: {', '.join(each)}; measure more (--processes)", style="yellow")
        return
    if os.environ.get("GITHUB_ACTIONS"):
        to.print(f"::error::{line}")
    to.print(line, style="bold red")


def changed(name: str, ratio: float, low: float, high: float) -> str:
    """`torch_autograd +3.2 % (2.6–3.8 %)`."""
    return f"{name} {percent(ratio - 1)} ({100 * (low - 1):.1f}–{100 * (high - 1):.1f} %)"


def undecided(rows: pd.DataFrame, least: float | None) -> pd.DataFrame:
    """The rows that are UNDECIDED and may be slower by `least`."""
    return rows[(rows["verdict"] == UNDECIDED) & (rows["ratio_high"] >= 1 + (least or 0))]


def gate_rows(rows: pd.DataFrame, name: str = "backend") -> list[Stopped]:
    """The rows of a table as `failed` takes them."""
    return list(rows[[name, "ratio", "ratio_low", "ratio_high"]].itertuples(index=False, name=None))
