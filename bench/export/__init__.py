"""Writes stored runs for other tools: one module a format, found by listing this folder.

A format is named like its file, with dashes; an underscore at the end of a file's name keeps it off
the standard library's. Its `FORMAT` is loaded when it is asked for: reading runs needs pandas.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import UsageError

if TYPE_CHECKING:
    from bench.export._format import Format
    from bench.record.journal import Story


def formats() -> dict[str, str]:
    """Name → module of every format."""
    names = (module.name for module in pkgutil.iter_modules(__path__))
    return {
        name.rstrip("_").replace("_", "-"): f"{__name__}.{name}"
        for name in names
        if not name.startswith("_")
    }


def export(stories: Iterable[Story], name: str, controls: bool) -> tuple[str, list[str]]:
    """The text of a format, and notes for its readers, a line each. Raises `UsageError`."""
    chosen: Format = importlib.import_module(formats()[name]).FORMAT
    return chosen.export(name, list(stories), controls)


def write(text: str, output: Path | None) -> None:
    """Writes to `output`, or to stdout without one. Raises `UsageError`."""
    if output is None:
        print(text, end="")
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"-o {output}: cannot be written: {error.strerror}; name another file."
        ) from None
