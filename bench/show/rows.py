"""The rows of a summary as people meet them: which there are, in which order, and what each is called.

Every row that has a time is there, with its numbers as they are.
"""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from bench.analyse import roofline
from bench.schema.case import FIXED_WORK, RANKS, SIDE, Case, Shape, at, is_control
from bench.show.grid import Row

BOUNDS = {roofline.MEASURED: "bound", roofline.SEEN: "best seen"}
"""What people call the bound of a row, by what it rests on."""
DIMENSIONS = ("device", "dtype", "threads", "shape")
"""Two more, but the sides of a case, and what other numbers of ranks make of it, stand next to each other instead of in a part
of the table each."""


def arranged(table: pd.DataFrame) -> tuple[list[Row], list[str]]:
    """The rows that have a time, in the order in which people read them, and the dimensions that vary."""
    table = with_shape(table)
    varying = [name for name in (*DIMENSIONS, RANKS, SIDE) if table.loc[~table["kind"].isin(FIXED_WORK), name].nunique() > 1]
    rows = [row for row in records(table) if math.isfinite(row["seconds_per_step"])]
    order = {name: list(dict.fromkeys(table[name])) for name in DIMENSIONS} | {SIDE: sides(table)}
    rows.sort(key=lambda row: order[SIDE].index(row[SIDE]))
    first: dict[tuple[Any, ...], float] = {}  # a case's time on its first side, which decides where all of them stand
    for row in rows:
        first.setdefault(_case(row), row["seconds_per_step"])
    places = [name for name in varying if name not in (SIDE, RANKS)]
    rows.sort(key=lambda row: (is_control(row["kind"]), *(order[name].index(row[name]) for name in places), first[_case(row)]))
    return rows, varying


def records(table: pd.DataFrame) -> list[Row]:
    """The rows of a table as plain dictionaries."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def bound_of(rows: list[Row]) -> str:
    """What the bounds of these rows are called together; empty where there are none."""
    return " or ".join(name for by, name in BOUNDS.items() if any(row["bound_by"] == by for row in rows))


def with_shape(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a column `shape` such as 64x1000x100x10."""
    sizes = zip(*(table[size] for size in Shape._fields), strict=True)
    return table.assign(shape=[str(Shape(*of_row)) for of_row in sizes])


def _case(row: Row) -> tuple[Any, ...]:
    return (row["backend"], row[RANKS], *(row[name] for name in DIMENSIONS))


def sides(table: pd.DataFrame) -> list[str]:
    """The sides' labels; first the one that holds every baseline."""
    first = {Case.parse(key).side for key in table["baseline"].dropna().unique()}
    return sorted(dict.fromkeys(table[SIDE]), key=lambda label: label not in first)


def common(table: pd.DataFrame) -> str:
    """What all steps of a table have in common: `cpu · float32 · 1 thread · 64x1000x100x10`."""
    table = with_shape(table[~table["kind"].isin(FIXED_WORK)]) if "kind" in table else with_shape(table)
    parts = []
    for name in filter(table.__contains__, (*DIMENSIONS, RANKS, SIDE)):
        values = list(filter(None, dict.fromkeys(table[name])))
        if name == RANKS and values == [1]:
            continue  # most runs know of nothing else
        if len(values) == 1:
            plural = "s" if values[0] != 1 else ""
            parts.append(f"{values[0]} {name[:-1]}{plural}" if name in ("threads", RANKS) else str(values[0]))
        elif values:
            parts.append(f"{name} varies")
    return " · ".join(parts)


def key_of(row: Row) -> str:
    """The key of a row's case, by which the column `baseline` names it."""
    return Case.of_row(row).key


def name_of(row: Row) -> str:
    """A row's backend, with its ranks where there are several, and its side where a run has sides."""
    together = f" ({row[RANKS]:.0f} ranks)" if row[RANKS] > 1 else ""
    return at(f"{row['backend']}{together}", row[SIDE])


def place_of(row: Row, varying: list[str]) -> str:
    """Where a row stands in what varies, sides aside: `device cuda · threads 2`."""
    return " · ".join(f"{dimension} {row[dimension]}" for dimension in varying if dimension not in (SIDE, RANKS))
