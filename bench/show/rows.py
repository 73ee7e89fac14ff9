"""The rows of a summary as people meet them: which there are, in which order, and what each is called."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from bench.analyse.step import step_seconds
from bench.schema.case import FIXED_WORK, SIDE, Case, at, is_control
from bench.show.grid import Row

DIMENSIONS = ("device", "dtype", "threads", "shape")
"""Where they vary, a table has a part for each; the sides of a case are rows next to each other."""


def arranged(table: pd.DataFrame) -> tuple[list[Row], list[str]]:
    """The rows that have a time, in the order in which people read them, and the dimensions that vary."""
    varying = [name for name in (*DIMENSIONS, SIDE) if table.loc[~table["kind"].isin(FIXED_WORK), name].nunique() > 1]
    rows = [row for row in records(table) if math.isfinite(row["seconds_per_step"])]
    order = {name: list(dict.fromkeys(table[name])) for name in DIMENSIONS} | {SIDE: sides(table)}
    rows.sort(key=lambda row: order[SIDE].index(row[SIDE]))
    first: dict[tuple[Any, ...], float] = {}  # a case's time on its first side, which decides where all of them stand
    for row in rows:
        first.setdefault(_case(row), step_seconds(row))
    places = [name for name in varying if name != SIDE]
    rows.sort(key=lambda row: (is_control(row["kind"]), *(order[name].index(row[name]) for name in places), first[_case(row)]))
    return rows, varying


def records(table: pd.DataFrame) -> list[Row]:
    """The rows of a table as plain dictionaries."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _case(row: Row) -> tuple[Any, ...]:
    return (row["backend"], *(row[name] for name in DIMENSIONS))


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


def key_of(row: Row) -> str:
    """The key of a row's case, by which the column `baseline` names it."""
    return Case.from_json(row).key


def name_of(row: Row) -> str:
    """A row's backend, with its side where a run has sides."""
    return at(row["backend"], row[SIDE])


def place_of(row: Row, varying: list[str]) -> str:
    """Where a row stands in what varies, sides aside: `device cuda · threads 2`."""
    return " · ".join(f"{dimension} {row[dimension]}" for dimension in varying if dimension != SIDE)
