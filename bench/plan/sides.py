"""A side of a run: an interpreter, the `backends` package that it imports, further variables.

A run has one side without a label, or several that are visited in the same blocks.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Container
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

from bench.errors import UsageError
from bench.paths import CONTROLS as CONTROLS_FOLDER
from bench.paths import ROOT
from bench.schema.case import CONTROLS, FIXED_WORK
from bench.schema.checking import fault
from bench.schema.records import Described, SideFacts
from bench.settings import Settings


@dataclass(frozen=True)
class Backend:
    """A backend's file as `bench.plan.discovery.describe` reports it."""

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
    """By device and dtype: floating-point operations and bytes of a control's step."""
    idea: str = ""
    steps_per_call: int = 1
    least_threads: int = 1
    unusable: str = ""
    """Why a file in a folder of BENCH_PATH is no backend; it has a row all the same."""

    @classmethod
    def from_json(cls, facts: Any, path: Path, name: str = "") -> Backend:
        """From a worker's description of the file at `path`.

        Raises `UsageError` for a malformed description, and for a control in another folder than
        the controls'.
        """
        if what := fault(facts, Described, "description"):
            raise UsageError(f"{path}: its {what}; fix the file or move it away.")
        if facts["kind"] in CONTROLS and path.parent.resolve() != CONTROLS_FOLDER.resolve():
            raise UsageError(
                f"{path}: kind is {facts['kind']!r}, that of a control; "
                "a way of writing the step needs another."
            )
        known = {name: facts[name] for name in get_type_hints(Described) if name in facts}
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in known.items()
        }
        return cls(name=name or path.stem, path=str(path), **plain)

    @classmethod
    def stray(cls, path: Path, error: UsageError, others: Container[str]) -> Backend:
        """What stands for a file that is no backend, under a name that none of the others has."""
        name = re.sub(r"\W", "_", path.stem)
        while name in others:
            name += "_"
        why = str(error).replace(f"{path.parent}/", "").rstrip(".")
        return cls(name, str(path), "", "", "rung", None, unusable=why)

    @property
    def proven(self) -> bool:
        """Whether it does a training step, which has to be proven."""
        return self.kind not in FIXED_WORK

    def reason(self, device: str, dtype: str, threads: int | None = None) -> str | None:
        """None, or why this backend cannot run there; any thread count will do for None."""
        if threads is not None and threads < self.least_threads and not self.missing:
            least = self.least_threads
            return f"needs {least} threads or more, not {threads}; set BENCH_THREADS={least}"
        if self.unusable:
            return f"cannot be used: {self.unusable}"
        if self.missing:
            return f"needs the library {self.missing}, which is not installed"
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
    folder: Path = ROOT
    """Holds the `backends` package."""
    problem: Path | None = None
    """The problem folder, if it is not the settings'."""
    variables: dict[str, str] = field(default_factory=dict)
    facts: SideFacts = field(default_factory=SideFacts)
    """For the journal's header."""
    backends: dict[str, Backend] = field(default_factory=dict)

    def reason(
        self, backend: str, device: str, dtype: str, threads: int | None = None
    ) -> str | None:
        """None, or why a backend cannot run there on this side."""
        if backend not in self.backends:
            return f"is not in {self.label}"
        return self.backends[backend].reason(device, dtype, threads)


def chosen(settings: Settings) -> tuple[Side, ...]:
    """The sides that `BENCH_PYTHONS` names; without it, one without a label."""
    return tuple(Side(label, python) for label, python in settings.pythons) or (Side(),)
