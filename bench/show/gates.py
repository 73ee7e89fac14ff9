"""The last line of a command with a gate, `--fail-on`."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pandas as pd
from rich.console import Console

from bench.analyse.verdicts import UNDECIDED, slower_by
from bench.units import percent


def show(least: float | None, rows: pd.DataFrame, to: Console, doubts: Sequence[str] = (), name: str = "backend") -> None:
    """Prints which rows a gate stops, since they are SLOWER by `least`, or the doubt that leaves it unproven; on GitHub as an
    annotation too.

    `rows` have the columns `name`, `verdict`, `ratio`, `ratio_low` and `ratio_high`. Rows that are UNDECIDED and may be slower
    by `least` pass, and are named.
    """
    if least is None:
        return
    gate = f"--fail-on slower{f':{100 * least:g}%' if least else ''}"
    open_ = rows[(rows["verdict"] == UNDECIDED) & (rows["ratio_high"] >= 1 + least)]
    stopped, passed = (
        ", ".join(map(changed, *(some[column] for column in (name, "ratio", "ratio_low", "ratio_high"))))
        for some in (slower_by(rows, least), open_)
    )
    if doubts or stopped:
        line = f"{gate} proves nothing: {' '.join(doubts)}" if doubts else f"FAILED {gate}: {stopped}"
        if os.environ.get("GITHUB_ACTIONS"):
            to.print(f"::error::{line}")
        to.print(line, style="bold red")
    elif passed:
        to.print(f"UNDECIDED, so not stopped by {gate}: {passed}; measure more (--processes)", style="yellow")


def changed(name: str, ratio: float, low: float, high: float) -> str:
    """`torch_autograd +3.2 % (2.6–3.8 %)`."""
    return f"{name} {percent(ratio - 1)} ({100 * (low - 1):.1f}–{100 * (high - 1):.1f} %)"
