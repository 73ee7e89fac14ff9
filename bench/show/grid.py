"""Rows in columns that fit the screen, or as Markdown; what stands in them is known to those who call.

Without pandas, so that commands that read no run start quickly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any

from rich.console import Console
from rich.table import Table

from bench.streams import write_replacements

Row = dict[str, Any]


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


def show(columns: list[Column], rows: list[Row], to: Console, dim: Callable[[Row], int] = lambda row: 0) -> None:
    """Prints rows in aligned columns."""
    roomy = total(columns, rows, gap=2) <= to.width
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


def plain(title: str, priority: int = 0) -> Column:
    """A column of texts that stand in the rows under its title."""
    return Column(title, lambda row: str(row[title]), priority, right=False)


def dimension(name: str) -> Column:
    return Column(name, lambda row: str(row[name]), 0, right=name == "threads")


def total(columns: list[Column], rows: list[Row], gap: int) -> int:
    """Characters of a line, so many between columns."""
    return sum(_width(column, rows) + gap for column in columns) - gap


def _width(column: Column, rows: list[Row]) -> int:
    return max([len(column.title), *(len(column.text(row)) for row in rows)])
