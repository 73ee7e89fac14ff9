"""The history of a machine in the terminal: a row for each way, or for each run of the ways that were named."""

from __future__ import annotations

import math

import pandas as pd
from rich.console import Console

from bench.analyse.history import Change, Series
from bench.analyse.verdicts import UNPROVEN
from bench.schema.case import SIDE, at
from bench.show import grid
from bench.show.grid import Row, plain
from bench.show.rows import common, records
from bench.units import percent, seconds

LEGEND = (
    "ratio, verdict: compared with the previous run, using earlier runs only; UNPROVEN: a guard moved or an A/A control "
    "differs; change: a change point"
)
_COLUMNS = [
    *map(plain, ("date", "way", "revision")), plain("runs", right=True), plain("versions", 2), plain("step", right=True),
    plain("ratio", 1, right=True), *map(plain, ("verdict", "change")),
]  # fmt: skip


def overview(series: list[Series], to: Console) -> None:
    """A row for the latest run of each series, those of one machine and place together, and all change points below."""
    parts: dict[str, list[Series]] = {}
    for one in series:
        parts.setdefault(_place(one.rows), []).append(one)
    for place, own in parts.items():
        dates = sorted(date(row) for one in own for row in records(one.rows.iloc[[0, -1]]))
        to.print(f"{place} · {dates[0]} to {dates[-1]}", style="bold")
        _show([_row(one, len(one.rows) - 1) | {"date": "", "revision": ""} for one in own], own, to)
    to.print(LEGEND, style="dim")


def runs(series: list[Series], newest: int, to: Console) -> None:
    """A row for each of the newest runs of each series, and all change points below."""
    for one in series:
        to.print(f"{_place(one.rows)} · {name(one)}", style="bold")
        places = range(max(0, len(one.rows) - newest), len(one.rows))
        if places[0]:
            to.print(f"{places[0]} earlier runs are not shown; see --runs", style="dim")
        _show([_row(one, place) | {"way": "", "runs": ""} for place in places], [one], to)
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


def date(row: Row | pd.Series) -> str:
    """When a run began, to the minute; without that, its name."""
    return str(row["time"])[:16].replace("T", " ") or str(row["run"]).rpartition("/")[2]


def _show(rows: list[Row], series: list[Series], to: Console) -> None:
    grid.show(_COLUMNS, rows, to)
    for one in series:
        for change in one.changes:
            to.print(since(one, change))


def _row(series: Series, place: int) -> Row:
    row = series.rows.iloc[place]
    by = {change.place: percent(math.expm1(change.estimate.mean)) for change in series.changes}
    ratio, verdict = "", ""
    if place:
        found = series.beside(place)
        ratio = f"{found.table['ratio'].iloc[0]:.3f}"
        verdict = UNPROVEN if found.doubts else str(found.table["verdict"].iloc[0])
    return {
        "date": date(row),
        "way": name(series),
        "revision": row["commit"][:8] + "+" * row["commit"].endswith("+dirty"),
        "runs": str(len(series.rows)),
        "versions": row["versions"].replace("==", " "),
        "step": seconds(math.exp(row["log"])),
        "ratio": ratio,
        "verdict": verdict,
        "change": f"◀ {by[place]}" if place in by else "",
    }


def _place(rows: pd.DataFrame) -> str:
    return f"{rows['machine'].iloc[0]}, {rows['problem'].iloc[0]}\n{common(rows)}"
