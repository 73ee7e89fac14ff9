"""What every check shares: the finding it returns, and the machine whose files it reads.

It must never write to the machine: a check looks, and its advice says what the owner may change.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """What one check found out, as people read it. `advice` is empty where there is nothing to do."""

    what: str
    state: Literal["ok", "bad", "unknown"]
    value: str
    advice: str = ""

    @property
    def sentence(self) -> str:
        return f"{self.what}: {self.value}{'; ' if self.advice else ''}{self.advice}."


def ok(what: str, value: str) -> Finding:
    return Finding(what, "ok", value)


def bad(what: str, value: str, advice: str) -> Finding:
    return Finding(what, "bad", value, advice)


def unknown(what: str, reason: str, advice: str = "") -> Finding:
    """A check that could not be made: it is told, for silence would read as a pass."""
    return Finding(what, "unknown", f"cannot be read: {reason}", advice)


@dataclass(frozen=True)
class Machine:
    """The files under `root`, which a test replaces, and the CPUs that this process may use."""

    root: Path = Path("/")
    cpus: tuple[int, ...] = field(default_factory=lambda: tuple(sorted(os.sched_getaffinity(0))))
    total_cpus: int = field(default_factory=lambda: os.cpu_count() or 1)

    def read(self, path: str) -> str | None:
        """A file's text without surrounding blanks; None where it is not there or may not be read."""
        try:
            return (self.root / path.lstrip("/")).read_text().strip()
        except (OSError, UnicodeDecodeError):
            return None

    def exists(self, path: str) -> bool:
        return (self.root / path.lstrip("/")).exists()

    def per_cpu(self, name: str) -> list[str]:
        """What `/sys/devices/system/cpu/cpu*/<name>` holds for the CPUs we may use, those without it left out."""
        found = (self.read(f"/sys/devices/system/cpu/cpu{cpu}/{name}") for cpu in self.cpus)
        return [text for text in found if text is not None]
