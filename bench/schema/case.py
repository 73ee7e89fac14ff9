"""A case: one cell of a sweep, its kind and the texts that name it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

TWIN, CONTROL, GUARD, PEAK = "twin", "control", "guard", "peak"
FIXED_WORK = (CONTROL, GUARD, PEAK)  # kinds of backends that do no training step: measured with every plan, never proven
CONTROLS = (TWIN, *FIXED_WORK)
"""Kinds of rows that support the other rows. Every other kind is a way of writing the step."""
EVERY = 3  # peaks are measured in every third pass and in the last one: they serve only for bounds
SIDE = "side"  # the label of an interpreter, revision or variables; empty in a run without sides
CASE_COLUMNS = ["backend", "device", "dtype", "threads", "shape"]  # the columns that name a case in a table, besides its side
_KEY = re.compile(r"([^-]+)-([^-]+)-(\w+)-(\d+)-(\d+(?:x\d+)*)(?:@(.+))?")


@dataclass(frozen=True)
class Case:
    """One cell of the sweep; its key names it in journals, reports and test ids."""

    backend: str
    device: str
    dtype: str
    threads: int
    shape: str  # the problem's sizes, such as `64x1000x100x10`
    twin: bool = False
    side: str = ""  # label of the `Side` it runs on

    @classmethod
    def from_json(cls, record: Mapping[Any, Any]) -> Case:
        """From a record, or a table's row, that has at least these fields; a row's `twin` is in its name."""
        fields = {name: record[name] for name in cls.__dataclass_fields__ if name in record}
        return cls(**{**fields, "threads": int(record["threads"])})

    @classmethod
    def parse(cls, key: str) -> Case:
        """From a key; a twin's key does not name its backend. Raises `ValueError`."""
        if not (match := _KEY.fullmatch(key)):
            raise ValueError(f"{key!r}: expected backend-device-dtype-threads-shape, then @side in a run of sides")
        name, device, dtype, threads, shape, side = match.groups()
        return cls(name, device, dtype, int(threads), shape, side=side or "")

    @property
    def name(self) -> str:
        return TWIN if self.twin else self.backend

    @property
    def columns(self) -> dict[str, Any]:
        """The values of `CASE_COLUMNS` and `side`."""
        return {name: getattr(self, name) for name in (*CASE_COLUMNS, SIDE)} | {"backend": self.name}

    @property
    def key(self) -> str:
        *parts, side = self.columns.values()
        return at("-".join(map(str, parts)), side)

    def __str__(self) -> str:
        """For a sentence about a run whose shape and threads the reader knows; elsewhere the key names a case."""
        return f"{self.name}[{', '.join(filter(None, (self.device, self.dtype, self.side)))}]"

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "name": self.name, "key": self.key}


def is_control(kind: str) -> bool:
    """Whether rows of this kind only support the others."""
    return kind in CONTROLS


def takes_part(kind: str, number: int, processes: int) -> bool:
    """Whether a pass of this number, of so many, measures rows of this kind."""
    return kind != PEAK or number % EVERY == 0 or number == processes - 1


def passes_of(kind: str, processes: int) -> int:
    """The number of passes, of so many, that measure rows of this kind."""
    return sum(takes_part(kind, number, processes) for number in range(processes))


def at(name: str, side: str) -> str:
    """`name@side`, or the name alone in a run without sides."""
    return f"{name}@{side}" if side else name
