"""Hands stored runs to other tools: one module a format, found by listing this folder.

A format is called what its file is called, with dashes; an underscore at the end of a file's name keeps it off the standard
library's, one at the beginning says that it is no format. Its `FORMAT` is loaded when it is asked for: reading runs needs
pandas, for which a command line that only offers the names need not wait.
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
    modules = (module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    return {name.rstrip("_").replace("_", "-"): f"{__name__}.{name}" for name in modules}


def export(
    stories: Iterable[Story], name: str, controls: bool, output: Path | None = None
) -> tuple[dict[str, str], list[str]]:
    """The files of a format as path → text, and what a reader of them has to be told, a line each.

    A format of one file has the path ""; without any number there is no file. Raises `UsageError`.
    """
    chosen: Format = importlib.import_module(formats()[name]).FORMAT
    return chosen.export(name, list(stories), controls, output)


def write(files: dict[str, str], name: str, output: Path | None) -> None:
    """Writes to `output`, or to stdout without one; several files need a folder. Raises `UsageError`."""
    if not files:
        raise UsageError("export: no row of these runs has a number; name a run that was measured to its end.")
    if output is None:
        if set(files) != {""}:
            raise UsageError(f"export: --format {name} is several files; name their folder with -o, such as -o .asv/results.")
        print(files[""], end="")
        return
    try:
        for path, text in files.items():
            target = output / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"-o {output}: cannot be written: {error.strerror}; name another place.") from None
