"""Summaries as tables: in the terminal, as wide as it is, and as Markdown.

The last formatter: here seconds get their unit.
"""

from __future__ import annotations

import math

import pandas as pd
from rich.console import Console

from bench.analyse import roofline
from bench.analyse.step import is_mean, ratio_of_means, step_seconds
from bench.schema.case import SIDE, Case, is_control
from bench.show import grid
from bench.show.bars import bar, is_wide
from bench.show.grid import Column, Row
from bench.show.rows import arranged, key_of, name_of, place_of, records, sides
from bench.units import giga, seconds, size, span

MANY = 1000
"""So many passes are no advice."""
CELLS = (10, 30)
"""Characters of a bar: fewer say nothing, and more say no more."""


def terminal(table: pd.DataFrame, to: Console, controls: bool = False) -> None:
    """Prints a row for each way to fit the console, a bar at its end, and below it what the columns mean."""
    rows, varying = _prepared(table)
    rows = [row for row in rows if controls or not is_control(row["kind"])]
    columns = grid.fit(_columns(varying), rows, to.width - max(CELLS[0] + 2, to.width // 7))
    room = [to.width - grid.total(columns, rows, gap) - gap for gap in (2, 1)]
    if cells := next((min(CELLS[1], cells) for cells in room if cells >= CELLS[0]), 0):
        columns.append(_bars(rows, varying, cells))
    grid.show(columns, rows, to, dim=lambda row: is_control(row["kind"]))
    for line in _legend(table, rows, columns):
        to.print(line, style="dim")


def markdown(table: pd.DataFrame, width: int = 140) -> str:
    """The same for an issue, a README or `summary.md`, with the columns that `width` has room for; controls are folded."""
    rows, varying = _prepared(table)
    parts = [[row for row in rows if is_control(row["kind"]) == control] for control in (False, True)]
    columns, fixed = (grid.fit(_columns(varying), part, width) for part in parts)
    ways = [*grid.pipes(columns, parts[0]), ""] if parts[0] else []
    fold = "<details><summary>Controls in the same blocks</summary>"
    controls = ["", fold, "", *grid.pipes(fixed, parts[1]), "", "</details>"] if parts[1] else []
    below = [f"- {line}" for line in (*_legend(table, parts[0], columns), *notes(table))]
    return "\n".join([*ways, *below, *controls]) + "\n"


def notes(table: pd.DataFrame) -> list[str]:
    """What is to be said of every row without a number, or with fewer passes than planned; a line for each reason."""
    lines: dict[tuple[str, str, str], list[str]] = {}
    for row in records(table[table["status"] != "ok"]):
        name, reason = str(row["backend"]), str(row["reason"])
        place = "" if reason.startswith(name) else f"[{', '.join(filter(None, (row['device'], row[SIDE])))}] "
        names = lines.setdefault((str(row["status"]), place, reason), [])
        if place and name not in names:  # a reason that begins with the name needs no other
            names.append(name)
    found = [f"{status}: {', '.join(names)}{place}{reason}" for (status, place, reason), names in lines.items()]
    passes: dict[str, float] = {}
    for row in records(table):
        if row["processes_to_decide"] < MANY and not is_control(row["kind"]):
            passes[name_of(row)] = max(passes.get(name_of(row), 0), row["processes_to_decide"])
    each = ", ".join(f"{name} {number:.0f}" for name, number in passes.items())
    return [*found, *([f"UNDECIDED: about so many passes (BENCH_PROCESSES) would decide: {each}"] if each else [])]


def _prepared(table: pd.DataFrame) -> tuple[list[Row], list[str]]:
    """The rows that have a time, each with its step and whether it and its ratio are of rounds."""
    rows, varying = arranged(table)
    by_key = {key_of(row): row for row in rows}
    for row in rows:
        row |= {"step": step_seconds(row), "mean": is_mean(row), "of_means": ratio_of_means(row, by_key)}
    return rows, varying


def _legend(table: pd.DataFrame, rows: list[Row], columns: list[Column]) -> list[str]:
    """What the shown columns mean in this table."""
    lines = []
    first, *later = sides(table)
    baselines = [(row, Case.parse(row["baseline"])) for row in rows if isinstance(row["baseline"], str)]
    names = dict.fromkeys(baseline.name for row, baseline in baselines if row[SIDE] == first)
    if rows:
        ratio = f"ratio: to {', '.join(names)}, with its 95 % interval; " if names else ""
        lines.append(f"step: its undisturbed time; {ratio}as it ran: the mean of loops.")
    if any(row["mean"] or row["of_means"] for row in rows):
        lines.append(
            "*: no undisturbed time, since steps are queued or several threads' calls do not add up: step is the mean of "
            "loops, ratio that of loops in the same block."
        )
    dtypes = dict.fromkeys((row["dtype"], baseline.dtype) for row, baseline in baselines)
    lines += [f"ratio of a {own} row: to the baseline in {other}." for own, other in dtypes if own != other]
    if later:
        lines.append(f"ratio and verdict on {', '.join(later)}: to the same backend on {first}.")
    meanings = {
        "of bound": "the least time for a step's arithmetic at the peak measured in this run, over the step",
        "of best": "the fastest step of this run over this one; with Numba installed, runs measure peaks instead",
    }
    return lines + [f"{column.title}: {meanings[column.title]}." for column in columns if column.title in meanings]


def _columns(varying: list[str]) -> list[Column]:
    return [_NAME, *(grid.dimension(name) for name in varying), *_MEASURES]


def _bars(rows: list[Row], varying: list[str], cells: int) -> Column:
    """To the slowest way of each place; logarithmic from a tenth of the fastest where times are far apart."""
    times: dict[str, list[float]] = {}
    for row in rows:
        if not is_control(row["kind"]):
            times.setdefault(place_of(row, varying), []).append(row["step"])
    wide = any(map(is_wide, times.values()))

    def text(row: Row) -> str:
        if is_control(row["kind"]):
            return ""
        slowest, start = max(times[place_of(row, varying)]), min(times[place_of(row, varying)]) / 10
        share = math.log(row["step"] / start) / math.log(slowest / start) if wide else row["step"] / slowest
        return bar(share, cells)

    return Column("log scale" if wide else "", text, 0, right=False)


def _bound(row: Row, by: str) -> str:
    return _share(row["bound_share"]) if row["bound_by"] == by and not row["mean"] else ""


def _count(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}" if math.isfinite(value) else ""


def _share(value: float) -> str:
    return f"{value:.0%}" if math.isfinite(value) else ""


def _pays_after(row: Row) -> str:
    """The break-even step with its interval: `6 (1–12)`."""
    steps, low, high = (row[f"break_even_steps{end}"] for end in ("", "_low", "_high"))
    return f"{_count(steps)} ({_count(low)}–{_count(high) or '∞'})" if math.isfinite(steps) else ""


def _ratio(row: Row) -> str:
    return f"{row['ratio']:.3f}{'*' * row['of_means']}" if math.isfinite(row["ratio"]) else ""


def _verdict(row: Row) -> str:
    if isinstance(row["verdict"], str):
        return row["verdict"]
    return "baseline" if row["baseline"] == key_of(row) else ""


_NAME = Column("way", lambda r: f"{r['backend']}{' (incomplete)' * (r['status'] == 'incomplete')}", 0, right=False)
_MEASURES = [
    Column("step", lambda r: seconds(r["step"]) + "*" * r["mean"], 0),
    Column("ratio", _ratio, 0),
    Column("95 % interval", lambda r: span(r["ratio_low"], r["ratio_high"]) if r["ratio_low"] != r["ratio_high"] else "", 2),
    Column("verdict", _verdict, 0, right=False),
    Column("latency", lambda r: seconds(r["latency_seconds_per_step"]), 4),
    Column("host", lambda r: seconds(r["dispatch_seconds_per_step"]) if r["mean"] else "", 9),
    Column("device", lambda r: seconds(r["device_seconds_per_step"]), 6),
    Column("GF/s", lambda r: giga(r["flop_per_second"]), 5),
    Column("of bound", lambda r: _bound(r, roofline.MEASURED), 4),
    Column("of best", lambda r: _bound(r, roofline.SEEN), 4),
    Column("GB/s", lambda r: giga(r["byte_per_second"]), 11),
    Column("first", lambda r: seconds(r["first_step_seconds"]), 7),
    Column("pays after", _pays_after, 8),
    Column("kernels", lambda r: _count(r["kernels_per_step"]), 8),
    Column("peak", lambda r: size(r["peak_bytes_per_step"]), 8),
    Column("allocates", lambda r: size(r["allocated_bytes_per_step"]), 10),
    Column("faults/step", lambda r: f"{r['minor_faults_per_step']:.1f}", 11),
    Column("of allowed error", lambda r: _share(r["error_share"]), 12),
    Column("as it ran", lambda r: seconds(r["seconds_per_step"]), 1),
]
