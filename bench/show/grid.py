"""Rows in columns that fit the screen, or as Markdown, and bars; callers know what stands in them.

Without pandas, so that commands that read no run start quickly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO, Any

from rich.console import Console
from rich.table import Table

from bench.streams import write_replacements

Row = dict[str, Any]
EIGHTHS = " ▏▎▍▌▋▊▉"
WIDE = 30
"""The slowest over the fastest from which on a linear scale shows no more than the slowest."""
MARKDOWN = 140
"""Characters of a Markdown table."""


@dataclass(frozen=True)
class Column:
    title: str
    text: Callable[[Row], str]
    priority: int
    """Columns are left out from the highest number down until the table fits."""
    right: bool = True


def console(file: IO[str] | None = None, width: int | None = None) -> Console:
    """A console without markup, which a reason such as `name[cpu]` would be; only a terminal's lines are wrapped."""
    made = Console(file=file, width=width, markup=False, highlight=False)
    made.soft_wrap = not made.is_terminal
    if not made.width:  # COLUMNS=0
        made.width = 80
    write_replacements(made.file)
    return made


def fit(columns: list[Column], rows: list[Row], width: int) -> list[Column]:
    """The columns that say something and have room, the least important left out first."""
    columns = [column for column in columns if column.title == "verdict" or any(column.text(row) for row in rows)]
    while total(columns, rows, gap=1) > width and max(column.priority for column in columns) > 0:
        columns.remove(max(columns, key=lambda column: column.priority))
    return columns


def show(columns: list[Column], rows: list[Row], to: Console, dim: Callable[[Row], bool] = lambda row: False) -> None:
    """Prints rows in the columns that fit, aligned."""
    columns = fit(columns, rows, to.width)
    roomy = total(columns, rows, gap=2) <= to.width
    out = Table(box=None, pad_edge=False, padding=(0, 2 if roomy else 1, 0, 0))
    for column in columns:
        out.add_column(column.title, justify="right" if column.right else "left", no_wrap=True)
    for row in rows:
        out.add_row(*(column.text(row) for column in columns), style="dim" if dim(row) else None)
    to.print(out, soft_wrap=False)


def pipes(columns: list[Column], rows: list[Row], width: int = MARKDOWN) -> list[str]:
    """The lines of a Markdown table of the columns that fit."""
    columns = fit(columns, rows, width)
    head = "| " + " | ".join(column.title for column in columns) + " |"
    rule = "|" + "|".join("---:" if column.right else "---" for column in columns) + "|"
    return [head, rule, *("| " + " | ".join(c.text(row).replace("|", "\\|") for c in columns) + " |" for row in rows)]


def plain(title: str, priority: int = 0, right: bool = False) -> Column:
    """A column of texts that stand in the rows under its title."""
    return Column(title, lambda row: str(row[title]), priority, right)


def number(title: str, priority: int, text: Callable[..., str], *names: str) -> Column:
    """A column made of the numbers that stand in the rows under these names; empty where one is None."""

    def cell(row: Row) -> str:
        values = [row[name] for name in names]
        return "" if None in values else text(*values)

    return Column(title, cell, priority)


def total(columns: list[Column], rows: list[Row], gap: int) -> int:
    """Characters of a line, so many between columns."""
    widths = (max([len(column.title), *(len(column.text(row)) for row in rows)]) for column in columns)
    return sum(widths) + gap * (len(columns) - 1)


def is_wide(times: Sequence[float]) -> bool:
    """Whether times need a logarithmic scale."""
    return bool(times) and max(times) > WIDE * min(times)


def bar(share: float, cells: int) -> str:
    """`share` of so many characters, to an eighth of one; empty for NaN."""
    if not math.isfinite(share):
        return ""
    whole, eighth = divmod(round(8 * cells * share), 8)
    return ("█" * whole + EIGHTHS[eighth]).rstrip()
