"""The history of a machine in the terminal: a row for each way, or for each run of the ways that were named."""

from __future__ import annotations

import math

import pandas as pd
from rich.console import Console

from bench.analyse.history import Change, Series
from bench.analyse.verdicts import UNPROVEN
from bench.schema.case import SIDE, at
from bench.show import grid
from bench.show.grid import Row, column, common
from bench.units import percent, seconds

LEGEND = (
    "ratio, verdict: compared with the previous run, using earlier runs only; UNPROVEN: a guard moved or an A/A control "
    "differs; change: a change point"
)
_COLUMNS = [
    *map(column, ("date", "way", "revision")), column("runs", 0, "{}".format), column("versions", 2),
    column("step", 0, seconds), column("ratio", 1, "{:.3f}".format), *map(column, ("verdict", "change")),
]  # fmt: skip


def show(series: list[Series], newest: int | None, to: Console) -> None:
    """A table for each machine and place, and all change points below: a row for each series, or for so many of its newest
    runs."""
    parts: dict[str, list[Series]] = {}
    for one in series:
        heading = f"{one.rows['machine'].iloc[0]}, {one.rows['problem'].iloc[0]}\n{common(one.rows)}"
        parts.setdefault(heading, []).append(one)
    for heading, own in parts.items():
        dates = sorted(date(one.rows.iloc[end]) for one in own for end in (0, -1))
        to.print(f"{heading} · {dates[0]} to {dates[-1]}", style="bold")
        rows: list[Row] = []
        for one in own:
            shown = min(newest or 1, len(one.rows))
            rows += [_row(one, place, newest is None) for place in range(len(one.rows) - shown, len(one.rows))]
            if newest and shown < len(one.rows):
                to.print(f"{len(one.rows) - shown} earlier runs of {name(one)} are not shown; see --runs", style="dim")
        grid.show(_COLUMNS, rows, to)
        for one in own:
            for change in one.changes:
                to.print(since(one, change))
    to.print(LEGEND, style="dim")


def since(series: Series, change: Change) -> str:
    """`torch_autograd: SLOWER since 2026-11-03 10:00, +5.0 % (+4.8 % to +5.2 %): torch 2.13.0 → 2.14.1`."""
    low, high = (percent(math.expm1(end)) for end in change.estimate.interval())
    what = ", ".join(change.what) or "no recorded setting differs"
    when, by = date(series.rows.iloc[change.place]), percent(math.expm1(change.estimate.mean))
    return f"{name(series)}: {change.verdict} since {when}, {by} ({low} to {high}): {what}"


def name(series: Series) -> str:
    """A way, with its side where its runs have sides."""
    return at(*series.rows[["backend", SIDE]].iloc[0])


def date(row: pd.Series) -> str:
    """When a run began, to the minute; without that, its name."""
    return str(row["time"])[:16].replace("T", " ") or str(row["run"]).rpartition("/")[2]


def _row(series: Series, place: int, alone: bool) -> Row:
    """One run of a series, `alone` if it stands for all of them."""
    row, found = series.rows.iloc[place], series.beside(place) if place else None
    changes = [f"◀ {percent(math.expm1(change.estimate.mean))}" for change in series.changes if change.place == place]
    return {
        "date": None if alone else date(row),
        "way": name(series),
        "revision": None if alone else row["commit"][:8] + "+" * row["commit"].endswith("+dirty"),
        "runs": len(series.rows) if alone else None,
        "versions": row["versions"].replace("==", " "),
        "step": math.exp(row["log"]),
        "ratio": found and found.table["ratio"].iloc[0],
        "verdict": found and (UNPROVEN if found.doubts else found.table["verdict"].iloc[0]),
        "change": "".join(changes),
    }
