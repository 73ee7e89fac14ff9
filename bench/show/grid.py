"""Rows of results and how they stand in columns that fit the screen, or as Markdown, with bars.

Without pandas, so that commands that read no run start quickly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from bench.schema.case import FIXED_WORK, SIDE, Case, at, is_control
from bench.units import write_replacements

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]
DIMENSIONS = ("device", "dtype", "threads", "shape")
"""Where they vary, a table has a part for each; the sides of a case are rows next to each other."""
MEAN, UNDISTURBED = "seconds_per_step", "undisturbed_seconds_per_step"
EIGHTHS = " ▏▎▍▌▋▊▉"
WIDE = 30
"""The slowest over the fastest from which on a linear scale shows no more than the slowest."""
MARKDOWN = 140
"""Characters of a Markdown table."""


def records(table: pd.DataFrame) -> list[Row]:
    """The rows of a table as plain dictionaries, None where there is no value."""
    known = table.astype(object).where(table.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in known.to_dict("records")]


def summary_rows(table: pd.DataFrame) -> list[Row]:
    """The rows of a summary, each with what a view of it needs.

    `key` and `label`, its name with its side; `time` with `low` and `high`, the ends of its interval, in seconds: the
    undisturbed time, or where `mean`, since steps are queued or several threads' calls do not add up, that of rounds; and
    `of_means`, whether the ratio is of rounds in the same block, since the row or its baseline has no undisturbed time.
    """
    rows = records(table)
    for row in rows:
        row["key"], row["label"] = Case.from_json(row).key, at(row["backend"], row[SIDE])
        row["mean"] = row[UNDISTURBED] is None and row[MEAN] is not None
        row["time"], row["low"], row["high"] = (row[f"{time_column(row)}{end}"] for end in ("", "_low", "_high"))
    by_key = {row["key"]: row for row in rows}
    for row in rows:
        base = by_key.get(row["baseline"])
        row["of_means"] = base is not None and (row["mean"] or base["mean"])
    return rows


def time_column(row: Mapping[str, Any]) -> str:
    """Which time of a step tables and pictures show: the undisturbed one, else the mean of rounds."""
    return MEAN if row[UNDISTURBED] is None else UNDISTURBED


def arranged(table: pd.DataFrame) -> tuple[list[Row], list[str]]:
    """The rows that have a time, in the order in which people read them, and the dimensions that vary."""
    varying = [name for name in (*DIMENSIONS, SIDE) if table.loc[~table["kind"].isin(FIXED_WORK), name].nunique() > 1]
    order = {name: list(dict.fromkeys(table[name])) for name in DIMENSIONS} | {SIDE: sides(table)}
    rows = [row for row in summary_rows(table) if row[MEAN] is not None]
    rows.sort(key=lambda row: order[SIDE].index(row[SIDE]))
    first: dict[tuple[Any, ...], float] = {}  # a case's time on its first side, which decides where all of them stand
    for row in rows:
        first.setdefault((row["backend"], *place(row)), row["time"])

    def position(row: Row) -> tuple[Any, ...]:
        places = (order[name].index(row[name]) for name in varying if name != SIDE)
        return (is_control(row["kind"]), *places, first[row["backend"], *place(row)])

    return sorted(rows, key=position), varying


def sides(table: pd.DataFrame) -> list[str]:
    """The sides' labels; first the one that holds every baseline."""
    first = {Case.parse(key).side for key in table["baseline"].dropna().unique()}
    return sorted(dict.fromkeys(table[SIDE]), key=lambda label: label not in first)


def common(table: pd.DataFrame) -> str:
    """What all steps of a table have in common: `cpu · float32 · 1 thread · 64x1000x100x10`."""
    table = table[~table["kind"].isin(FIXED_WORK)] if "kind" in table else table
    parts = []
    for name in (*DIMENSIONS, SIDE):
        values = list(filter(None, dict.fromkeys(table[name])))
        if len(values) == 1:
            plural = "s" if values[0] != 1 else ""
            parts.append(f"{values[0]} {name[:-1]}{plural}" if name == "threads" else str(values[0]))
        elif values:
            parts.append(f"{name} varies")
    return " · ".join(parts)


def place(row: Row) -> tuple[Any, ...]:
    """Device, dtype, threads and shape."""
    return tuple(row[name] for name in DIMENSIONS)


def place_of(row: Row, varying: list[str]) -> str:
    """Where a row stands in what varies, sides aside: `device cuda · threads 2`."""
    return " · ".join(f"{dimension} {row[dimension]}" for dimension in varying if dimension != SIDE)


def is_baseline(row: Row) -> bool:
    return bool(row["key"] == row["baseline"])


@dataclass(frozen=True)
class Column:
    title: str
    text: Callable[[Row], str]
    priority: int = 0
    """Columns are left out from the highest number down until the table fits."""
    right: bool = True


def column(title: str, priority: int = 0, form: Callable[..., str] = str, *names: str) -> Column:
    """A column made of the values under `names` in the rows, by default under its title; empty where one is None."""

    def text(row: Row) -> str:
        values = [row[name] for name in names or (title,)]
        return "" if None in values else form(*values)

    return Column(title, text, priority, right=form is not str)


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
    rule = "|" + "|".join("---:" if column.right else "---" for column in columns) + "|"
    cells = [[column.text(row).replace("|", "\\|") for column in columns] for row in rows]
    head, *body = (f"| {' | '.join(line)} |" for line in ([column.title for column in columns], *cells))
    return [head, rule, *body]


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
