"""The summary as a table of texts, with the value that each cell is sorted by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from bench import units
from bench.schema.summary import COLUMNS
from bench.show.page.sentences import Row

TEXTS = {"s": units.seconds, "B": units.size, "1/s": lambda v: f"{units.giga(v)} G/s", "B/s": lambda v: f"{units.giga(v)} GB/s"}


class Column(NamedTuple):
    """Columns of the summary that share a cell: an estimate and its interval."""

    names: tuple[str, ...]
    title: str
    meaning: str
    unit: str

    def text(self, row: Row) -> str:
        values = [_text(row[name], self.unit) for name in self.names]
        return f"{values[0]} ({values[1]}–{values[2]})" if all(values[1:]) and values[1:] else values[0]


FIRST = ("undisturbed_seconds_per_step", "ratio", "verdict", "seconds_per_step")


def columns(rows: Sequence[Row]) -> tuple[list[Column], dict[str, str]]:
    """The columns in which rows differ, the most important first, and those in which all are equal."""
    found: list[Column] = []
    same: dict[str, str] = {}
    for group in COLUMNS:
        interval = len(group.names) == 3 and group.names[1].endswith("_low")
        for names in [group.names] if interval else [(name,) for name in group.names]:
            column = Column(names, names[0].replace("_", " "), group.meaning, group.unit)
            texts = {column.text(row) for row in rows}
            if len(texts) > 1 and names[0] != "backend":
                found.append(column)
            elif texts > {""} or (len(texts) == 1 and "" not in texts):
                same[column.title] = texts.pop()
    found.sort(key=lambda one: FIRST.index(one.names[0]) if one.names[0] in FIRST else len(FIRST))
    return found, same


def flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Names and texts of nested facts."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from flat(part, f"{name}, {key}" if name else str(key))
    elif isinstance(value, list) and any(isinstance(part, dict) for part in value):
        for number, part in enumerate(value):
            yield from flat(part, f"{name} {number}")
    elif value not in (None, "", []):
        yield name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _text(value: Any, unit: str) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return TEXTS[unit](value) if unit in TEXTS else f"{value:.4g}"
