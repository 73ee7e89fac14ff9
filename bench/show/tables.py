"""Summaries as people read them: in the terminal, as wide as it is, and as Markdown.

It must never compute an estimate; it is the last formatter, where seconds get their unit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

import pandas as pd
from rich.console import Console
from rich.table import Table

from bench.schema.case import SIDE, Case, is_control
from bench.show.rows import Row, arranged, common, records, sides
from bench.units import giga, seconds, size, span, spread


@dataclass(frozen=True)
class Column:
    title: str
    text: Callable[[Row], str]
    priority: int
    """Columns are left out from the highest number down until the table fits."""
    right: bool = True


def console(file: IO[str] | None = None, width: int | None = None) -> Console:
    """A console that prints what it is given: a reason such as `name[cpu]` is no markup."""
    return Console(file=file, width=width, markup=False, highlight=False, soft_wrap=True)


def terminal(table: pd.DataFrame, to: Console) -> None:
    """Prints the summary to fit the console: what is common stands above, what has no number below."""
    rows, varying = arranged(table)
    to.print(common(table))
    grid(fit(_columns(varying), rows, to.width), rows, to, dim=lambda row: is_control(row["kind"]))
    for line in _legend(table):
        to.print(line, style="dim")
    for line in notes(table):
        to.print(line)


def markdown(table: pd.DataFrame, width: int = 140) -> str:
    """The same table for an issue, a README or `summary.md`, with the columns that `width` has room for."""
    rows, varying = arranged(table)
    lines = [common(table), "", *pipes(fit(_columns(varying), rows, width), rows), ""]
    return "\n".join([*lines, *_legend(table), *(f"- {note}" for note in notes(table))]) + "\n"


def fit(columns: list[Column], rows: list[Row], width: int) -> list[Column]:
    """The columns that say something and have room, the least important left out first."""
    columns = [column for column in columns if column.title == "verdict" or any(column.text(row) for row in rows)]
    while _total(columns, rows, gap=1) > width and max(column.priority for column in columns) > 0:
        columns.remove(max(columns, key=lambda column: column.priority))
    return columns


def grid(columns: list[Column], rows: list[Row], to: Console, dim: Callable[[Row], int] = lambda row: 0) -> None:
    """Prints rows in aligned columns."""
    roomy = _total(columns, rows, gap=2) <= to.width
    out = Table(box=None, pad_edge=False, padding=(0, 2 if roomy else 1, 0, 0))
    for column in columns:
        out.add_column(column.title, justify="right" if column.right else "left", no_wrap=True)
    for row in rows:
        out.add_row(*(column.text(row) for column in columns), style="dim" if dim(row) else None)
    to.print(out, soft_wrap=False)


def pipes(columns: list[Column], rows: list[Row]) -> list[str]:
    """The lines of a Markdown table."""
    head = "| " + " | ".join(column.title for column in columns) + " |"
    rule = "|" + "|".join("---:" if column.right else "---" for column in columns) + "|"
    return [head, rule, *("| " + " | ".join(c.text(row).replace("|", "\\|") for c in columns) + " |" for row in rows)]


def notes(table: pd.DataFrame) -> list[str]:
    """What is to be said of every row without a number, or with fewer passes than planned; a line for each reason."""
    lines: dict[tuple[str, str, str], list[str]] = {}
    for row in records(table[table["status"] != "ok"]):
        name, reason = str(row["backend"]), str(row["reason"])
        place = "" if reason.startswith(name) else f"[{', '.join(filter(None, (row['device'], row[SIDE])))}] "
        names = lines.setdefault((str(row["status"]), place, reason), [])
        if place and name not in names:  # a reason that begins with the name needs no other
            names.append(name)
    return [f"{status}: {', '.join(names)}{place}{reason}" for (status, place, reason), names in lines.items()]


def _legend(table: pd.DataFrame) -> list[str]:
    lines = []
    first, *later = sides(table)
    baselines = [(row, Case.parse(row["baseline"])) for row in records(table) if isinstance(row["baseline"], str)]
    if names := dict.fromkeys(baseline.name for row, baseline in baselines if row[SIDE] == first):
        lines.append(f"ratio: time over that of {', '.join(names)} in the same block; ± and intervals: 95 %.")
    dtypes = dict.fromkeys((row["dtype"], baseline.dtype) for row, baseline in baselines)
    lines += [f"ratio of a {own} row: to the baseline in {other}." for own, other in dtypes if own != other]
    if later:
        lines.append(f"ratio and verdict on {', '.join(later)}: beside the same backend on {first} in the same block.")
    controls = table[table["kind"].map(is_control)]
    if len(controls):
        listed = ", ".join(dict.fromkeys(controls["backend"]))
        lines.append(f"controls: {listed}; the twin is the baseline once more.")
    return lines


def _columns(varying: list[str]) -> list[Column]:
    return [_name_column(), *(dimension(name) for name in varying), *_MEASURES]


def _total(columns: list[Column], rows: list[Row], gap: int) -> int:
    return sum(_width(column, rows) + gap for column in columns) - gap


def _width(column: Column, rows: list[Row]) -> int:
    return max([len(column.title), *(len(column.text(row)) for row in rows)])


def plain(title: str, priority: int = 0) -> Column:
    """A column of texts that stand in the rows under its title."""
    return Column(title, lambda row: str(row[title]), priority, right=False)


def _name_column() -> Column:
    def name(row: Row) -> str:
        return f"{row['backend']}{' (incomplete)' if row['status'] == 'incomplete' else ''}"

    return Column("backend", name, 0, right=False)


def dimension(name: str) -> Column:
    return Column(name, lambda row: str(row[name]), 0, right=name == "threads")


def _count(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}" if math.isfinite(value) else ""


_MEASURES = [
    Column("time/step", lambda r: seconds(r["seconds_per_step"]), 0),
    Column("±95%", lambda r: spread(r["seconds_per_step_low"], r["seconds_per_step_high"]), 1),
    Column("latency", lambda r: seconds(r["latency_seconds_per_step"]), 4),
    Column("host", lambda r: seconds(r["dispatch_seconds_per_step"]), 9),
    Column("device", lambda r: seconds(r["device_seconds_per_step"]), 6),
    Column("ratio", lambda r: f"{r['ratio']:.3f}" if math.isfinite(r["ratio"]) else "", 0),
    Column("95 % interval", lambda r: span(r["ratio_low"], r["ratio_high"]) if r["ratio_low"] != r["ratio_high"] else "", 2),
    Column("GF/s", lambda r: giga(r["flop_per_second"]), 5),
    Column("of limit", lambda r: f"{r['limit_share']:.0%}" if math.isfinite(r["limit_share"]) else "", 4),
    Column("GB/s", lambda r: giga(r["byte_per_second"]), 11),
    Column("first", lambda r: seconds(r["first_step_seconds"]), 7),
    Column("pays after", lambda r: _count(r["break_even_steps"]), 8),
    Column("ops", lambda r: _count(r["operators_per_step"]), 8),
    Column("kernels", lambda r: _count(r["kernels_per_step"]), 8),
    Column("peak", lambda r: size(r["peak_bytes_per_step"]), 8),
    Column("allocates", lambda r: size(r["allocated_bytes_per_step"]), 10),
    Column("verdict", lambda r: r["verdict"] if isinstance(r["verdict"], str) else "", 3),
    Column("faults/step", lambda r: f"{r['minor_faults_per_step']:.1f}", 8),
    Column("error w1", lambda r: f"{r['error_w1']:.0e}" if math.isfinite(r["error_w1"]) else "", 9),
    Column("error loss", lambda r: f"{r['error_loss']:.0e}" if math.isfinite(r["error_loss"]) else "", 10),
    Column("processes", lambda r: f"{r['processes']:.0f}", 11),
]
