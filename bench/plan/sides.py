"""What the cases of a run may differ in beside their settings: the interpreter, the `backends` package it imports, and what
the environment tells its libraries.

A run has one side without a label, or several that are visited in the same blocks. Nothing may be started here.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

from bench.errors import UsageError
from bench.paths import ROOT
from bench.schema.case import CONTROLS, FIXED_WORK
from bench.schema.checking import fault
from bench.schema.records import Described, SideFacts
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
    parallel: bool = False
    """Whether ranks can compute its step together."""
    foreign: bool = False
    """From a folder that `BENCH_PATH` names: it has a process of its own, and can spoil nobody's numbers."""

    @classmethod
    def from_json(cls, facts: Any, path: Path, foreign: bool) -> Backend:
        """What was told of the file at `path`; its name and place nobody needs to be told.

        Raises `UsageError` for what nobody could use, and for foreign code that says it is a control or a twin: what others are
        measured by is never foreign.
        """
        if what := fault(facts, Described, "description"):
            raise UsageError(f"{path}: its {what}; mend it or move it away.")
        if foreign and facts["kind"] in CONTROLS:
            raise UsageError(f"{path}: kind is {facts['kind']!r}, by which others are measured; one of BENCH_PATH has another.")
        told = {name: facts[name] for name in get_type_hints(Described) if name in facts}
        plain: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}
        return cls(name=path.stem, path=str(path), **plain, foreign=foreign)

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
        return self.why_not.get(device, {}).get(dtype, f"does not say whether it can run in {dtype} on {device}")


@dataclass(frozen=True)
class Side:
    """An interpreter, the folder whose `backends` package it imports, and further variables of its workers' environment;
    `bench.measure.catalogue` asks it for the rest."""

    label: str = ""
    python: str = sys.executable
    folder: Path = ROOT
    variables: dict[str, str] = field(default_factory=dict)
    facts: SideFacts = field(default_factory=SideFacts)
    """For the journal's header."""
    backends: dict[str, Backend] = field(default_factory=dict)

    def reason(self, backend: str, device: str, dtype: str) -> str | None:
        """None, or why a backend cannot run there on this side."""
        if backend not in self.backends:
            return f"is not in {self.label}"
        return self.backends[backend].reason(device, dtype)


def chosen(settings: Settings) -> tuple[Side, ...]:
    """The sides that `BENCH_PYTHONS` names; without it, the one that has no label."""
    return tuple(Side(label, python) for label, python in settings.pythons) or (Side(),)
