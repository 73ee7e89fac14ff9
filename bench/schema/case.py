"""A case: one cell of a sweep, with its shape, its kind and the texts that name it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

from backends.api import Problem, steady_learning_rate

TWIN, YARDSTICK, CEILING, CONTROL, COLLECTIVE = "twin", "yardstick", "ceiling", "control", "collective"
PEAK, OVERHEAD = "peak", "overhead"
FIXED_WORK = (CONTROL, YARDSTICK, CEILING, COLLECTIVE, PEAK, OVERHEAD)
"""Kinds of backends that do no training step: measured with every plan, never proven."""
CONTROLS = (TWIN, *FIXED_WORK)
"""Kinds of rows that a reader needs only to trust the others. Every other kind is a way of writing the step."""

RATES, EVERY = (CEILING, PEAK, OVERHEAD), 3
"""Kinds that nothing is compared with, only reckoned: measured in every third pass, and the last one."""


class Shape(NamedTuple):
    """Of a problem: x (N, D_in), y (N, D_out), w1 (D_in, H), w2 (H, D_out)."""

    N: int
    D_in: int
    H: int
    D_out: int

    @classmethod
    def parse(cls, text: str) -> Shape:
        """From `64x1000x100x10`. Raises `ValueError` for anything else."""
        try:
            sizes = [int(size) for size in text.split("x")]
        except ValueError:
            sizes = []
        if len(sizes) != len(cls._fields) or min(sizes) < 1:
            raise ValueError("four whole numbers of at least 1 with x between them, such as 64x1000x100x10")
        return cls(*sizes)

    def __str__(self) -> str:
        return "x".join(map(str, self))


DEFAULT_SHAPE = Shape(64, 1000, 100, 10)
"""Of the controls, whatever is swept: their work is fixed."""
SIDE = "side"
"""Of a run with several interpreters or revisions the label; empty in any other."""
RANKS = "ranks"
"""Processes that compute a step together; one in files that do not tell."""
CASE_COLUMNS = ["backend", "device", "dtype", "threads", *Shape._fields]
"""The columns that name a case in a table, but for its side and its ranks."""
_KEY = re.compile(r"(\w+)-([^-]+)-(\w+)-(\d+)-(\d+x\d+x\d+x\d+)(?:-(\d+)ranks)?(?:@(.+))?")


@dataclass(frozen=True)
class Case:
    """One cell of the sweep; its key names it in journals, reports and test ids."""

    backend: str
    device: str
    dtype: str
    threads: int
    shape: Shape
    twin: bool = False
    side: str = ""
    """Label of the `Side` it runs on."""
    ranks: int = 1
    """Processes that compute the step together; the shape is that of the whole batch."""

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Case:
        """From a record that has at least these fields."""
        fields = {name: record[name] for name in cls.__dataclass_fields__ if name in record}
        return cls(**{**fields, "shape": Shape(*record["shape"])})

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Case:
        """From a row of a table with the columns `CASE_COLUMNS`, `side` and `ranks`. A twin has its baseline's work and its own
        name."""
        shape = Shape(*(int(row[size]) for size in Shape._fields))
        ranks = int(row.get(RANKS, 1))
        return cls(row["backend"], row["device"], row["dtype"], int(row["threads"]), shape, side=row[SIDE], ranks=ranks)

    @classmethod
    def parse(cls, key: str) -> Case:
        """From a key; a twin's names no backend but itself. Raises `ValueError` for a text that is none."""
        if not (match := _KEY.fullmatch(key)):
            raise ValueError(
                f"{key!r}: expected backend-device-dtype-threads-shape, then -2ranks where there are several, then @side where "
                "a run has sides"
            )
        name, device, dtype, threads, shape, ranks, side = match.groups()
        return cls(name, device, dtype, int(threads), Shape.parse(shape), side=side or "", ranks=int(ranks or 1))

    @property
    def name(self) -> str:
        return TWIN if self.twin else self.backend

    @property
    def key(self) -> str:
        together = f"-{self.ranks}ranks" if self.ranks > 1 else ""
        return at(f"{self.name}-{self.device}-{self.dtype}-{self.threads}-{self.shape}{together}", self.side)

    @property
    def path(self) -> str:
        """The case for other tools, which split names at slashes: `backend/device/dtype/threads/shape@side`, several ranks
        behind the shape."""
        together = f"/{self.ranks}ranks" if self.ranks > 1 else ""
        return at(f"{self.name}/{self.device}/{self.dtype}/{self.threads}/{self.shape}{together}", self.side)

    def __str__(self) -> str:
        """For a sentence about a run whose shape and threads the reader knows."""
        return f"{self.name}[{', '.join(filter(None, (self.device, self.dtype, self._together, self.side)))}]"

    @property
    def label(self) -> str:
        """For a sentence that has to name the case in full."""
        parts = (self.device, self.dtype, f"threads {self.threads}", str(self.shape), self._together, self.side)
        return f"{self.name}[{', '.join(filter(None, parts))}]"

    @property
    def _together(self) -> str:
        return f"{self.ranks} ranks" if self.ranks > 1 else ""

    @property
    def columns(self) -> dict[str, Any]:
        """The values of `CASE_COLUMNS`, `side` and `ranks`."""
        values = (self.name, self.device, self.dtype, self.threads, *self.shape)
        return dict(zip(CASE_COLUMNS, values, strict=True)) | {SIDE: self.side, RANKS: self.ranks}

    @property
    def part(self) -> Case:
        """The step of one rank's part of the batch, the largest, in one process: what a rank computes, without the others."""
        return replace(self, ranks=1, shape=self.shape._replace(N=-(-self.shape.N // self.ranks)))

    @property
    def learning_rate(self) -> float:
        """1e-6 wherever training with it stays finite, as at the default shape."""
        steady = steady_learning_rate(*self.shape)
        return 1e-6 if steady * 3 >= 1e-6 else steady

    def problem(self, seed: int) -> Problem:
        """The problem that is timed."""
        return Problem.random(*self.shape, seed=seed, learning_rate=self.learning_rate)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "key": self.key, "shape": list(self.shape)}


def is_control(kind: str) -> bool:
    """Whether a reader needs a row of this kind only to trust the others."""
    return kind in CONTROLS


def takes_part(kind: str, number: int, processes: int) -> bool:
    """Whether rows of this kind are measured in a pass of so many."""
    return kind not in RATES or number % EVERY == 0 or number == processes - 1


def passes_of(kind: str, processes: int) -> int:
    """In how many of so many passes rows of this kind are measured."""
    return sum(takes_part(kind, number, processes) for number in range(processes))


def at(name: str, side: str) -> str:
    """`name@side`, or the name alone where a run has no sides."""
    return f"{name}@{side}" if side else name
