"""A side of a run: an interpreter, the `backends` package that it imports, further variables.

A run has one side without a label, or several that are visited in the same blocks.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from bench.errors import UsageError
from bench.paths import CONTROLS as CONTROLS_FOLDER
from bench.paths import ROOT
from bench.schema.case import CONTROLS, FIXED_WORK
from bench.schema.checking import Bound, Count, Number, Together, fault
from bench.schema.records import SideFacts
from bench.settings import Settings

Operations = Annotated[list[Count], Bound("operations and bytes", lambda value: len(value) == 2)]


@dataclass(frozen=True)
class Backend:
    """A backend's file as `bench.plan.discovery.describe` reports it; less of it where it cannot be used."""

    name: str
    path: str
    source: str
    hash: str
    kind: str
    unusable: str | None = None
    """Why nothing can run it: a library is missing, or the file is no backend, which then has no hash."""
    libraries: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    why_not: dict[str, dict[str, str | None]] = field(default_factory=dict)
    """By device and dtype: None, or why it cannot run there."""
    work: dict[str, dict[str, Operations]] = field(default_factory=dict)
    """By device and dtype: floating-point operations and bytes of a control's step."""
    steps_per_call: Together = 1
    least_threads: Number = 1

    @classmethod
    def from_json(cls, facts: Any, path: Path, name: str = "") -> Backend:
        """From a worker's description of the file at `path`.

        Raises `UsageError` for a malformed description, and for a control in another folder than
        the controls'.
        """
        if isinstance(facts, dict):
            facts = {**facts, "name": name or path.stem, "path": str(path)}
        if what := fault(facts, cls, "description"):
            raise UsageError(f"{path}: its {what}; fix the file or move it away.")
        if facts["kind"] in CONTROLS and path.parent.resolve() != CONTROLS_FOLDER.resolve():
            raise UsageError(f"{path}: kind is {facts['kind']!r}, that of a control; a way of writing the step needs another.")
        fields: dict[str, Any] = {name: facts[name] for name in cls.__dataclass_fields__ if name in facts}
        return cls(**fields | {name: tuple(value) for name, value in fields.items() if isinstance(value, list)})

    @property
    def proven(self) -> bool:
        """Whether it does a training step, which has to be proven."""
        return self.kind not in FIXED_WORK

    def reason(self, device: str, dtype: str, threads: int | None = None) -> str | None:
        """None, or why this backend cannot run there; any thread count will do for None."""
        if self.unusable:
            return self.unusable
        if threads is not None and threads < self.least_threads:
            least = self.least_threads
            return f"needs {least} threads or more, not {threads}; set BENCH_THREADS={least}"
        if dtype not in self.dtypes:
            return f"has code for {', '.join(self.dtypes)} only, not for {dtype}"
        unknown = f"does not say whether it can run in {dtype} on {device}"
        return self.why_not.get(device, {}).get(dtype, unknown)


@dataclass(frozen=True)
class Side:
    """An interpreter, the folder whose `backends` package it imports, and further variables of its
    workers; `bench.measure.catalogue` fills in the rest."""

    label: str = ""
    python: str = sys.executable
    folder: Path = ROOT  # holds the `backends` package
    problem: Path | None = None  # the problem folder, if it is not the settings'
    variables: dict[str, str] = field(default_factory=dict)
    facts: SideFacts = field(default_factory=SideFacts)  # for the journal's header
    backends: dict[str, Backend] = field(default_factory=dict)
    """By name; also files in folders of `BENCH_PATH` that are no backends."""

    def reason(self, backend: str, device: str, dtype: str, threads: int | None = None) -> str | None:
        """None, or why a backend cannot run there on this side."""
        if backend not in self.backends:
            return f"is not in {self.label}"
        return self.backends[backend].reason(device, dtype, threads)


def chosen(settings: Settings) -> tuple[Side, ...]:
    """The sides that `BENCH_PYTHONS` names; without it, one without a label."""
    return tuple(Side(*pair) for pair in settings.pythons) or (Side(),)
