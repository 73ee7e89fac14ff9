"""What every check returns: a finding, whose advice says what the machine's owner may change."""

from __future__ import annotations

from dataclasses import dataclass
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
