"""The rows of a summary as people meet them: which there are, in which order, what each is called, and which time it shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from bench.schema.case import FIXED_WORK, SIDE, Case, at, is_control
from bench.show.grid import Row

DIMENSIONS = ("device", "dtype", "threads", "shape")
"""Where they vary, a table has a part for each; the sides of a case are rows next to each other."""
MEAN, UNDISTURBED = "seconds_per_step", "undisturbed_seconds_per_step"


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


def is_baseline(row: Row) -> bool:
    return bool(row["key"] == row["baseline"])


def place_of(row: Row, varying: list[str]) -> str:
    """Where a row stands in what varies, sides aside: `device cuda · threads 2`."""
    return " · ".join(f"{dimension} {row[dimension]}" for dimension in varying if dimension != SIDE)
