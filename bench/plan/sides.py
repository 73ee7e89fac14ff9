"""What the cases of a run may differ in beside their settings: the interpreter, and the `backends` package it imports.

A run has one side without a label, or several that are visited in the same blocks. Nothing may be started here.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.paths import ROOT
from bench.schema.case import FIXED_WORK
from bench.settings import Settings


@dataclass(frozen=True)
class Backend:
    """A backend's file as `bench.plan.discovery.describe` tells of it."""

    name: str
    path: str
    source: str
    hash: str
    kind: str
    missing: str | None
    libraries: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    why_not: dict[str, dict[str, str | None]] = field(default_factory=dict)
    work: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)
    """By device and dtype: what a control's step does, in floating-point operations and bytes; of a training step nothing."""
    idea: str = ""
    steps_per_call: int = 1
    foreign: bool = False
    """From a folder that `BENCH_PATH` names: it has a process of its own, and can spoil nobody's numbers."""

    @classmethod
    def from_json(cls, facts: dict[str, Any], foreign: bool) -> Backend:
        """Raises `UsageError` for foreign code that says it is a control: what others are measured by is never foreign."""
        plain: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in facts.items()}
        if foreign and plain["kind"] in FIXED_WORK:
            raise UsageError(
                f"{plain['path']}: kind is {plain['kind']!r}, by which others are measured; one of BENCH_PATH has another."
            )
        return cls(**plain, foreign=foreign)

    @property
    def proven(self) -> bool:
        """Whether it has to pass the gate; a control does no training step that could be wrong."""
        return self.kind not in FIXED_WORK

    def reason(self, device: str, dtype: str) -> str | None:
        """None, or why this backend cannot run there."""
        if self.missing:
            return f"needs the library {self.missing}, which is not installed"
        if dtype not in self.dtypes:
            return f"has code for {', '.join(self.dtypes)} only, not for {dtype}"
        return self.why_not[device][dtype]


@dataclass(frozen=True)
class Side:
    """An interpreter, and the folder whose `backends` package it imports; `bench.measure.catalogue` asks it for the rest."""

    label: str = ""
    python: str = sys.executable
    folder: Path = ROOT
    facts: dict[str, Any] = field(default_factory=dict)
    """For the journal's header: the commit, the version of Python and of its packages."""
    backends: dict[str, Backend] = field(default_factory=dict)

    def reason(self, backend: str, device: str, dtype: str) -> str | None:
        """None, or why a backend cannot run there on this side."""
        if backend not in self.backends:
            return f"is not in {self.label}"
        return self.backends[backend].reason(device, dtype)


def chosen(settings: Settings) -> tuple[Side, ...]:
    """The sides that `BENCH_PYTHONS` names; without it, the one that has no label."""
    return tuple(Side(label, python) for label, python in settings.pythons) or (Side(),)
