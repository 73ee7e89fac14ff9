"""Writes stored runs for other tools: one module a format, found by listing this folder.

A format is named like its file, with dashes. The `write(rows)` of its module returns a text and a note for whatever it leaves
out; `rows` are those of `bench.analyse.summaries.summarise` that have a number, in seconds with full precision, each with its
case's path as `id`, and its run's `time` and `commit`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import UsageError
from bench.schema.case import is_control

if TYPE_CHECKING:
    from bench.record.journal import Story


def formats() -> dict[str, str]:
    """Name → module of every format."""
    return {module.name.replace("_", "-"): f"{__name__}.{module.name}" for module in pkgutil.iter_modules(__path__)}


def export(stories: Iterable[Story], name: str, controls: bool) -> tuple[str, list[str]]:
    """The text of a format, and notes for its readers, a line each. Raises `UsageError`."""
    import pandas as pd  # takes half a second, and every command lists the formats

    from bench.analyse import summaries

    tables, notes = [], []
    for story in stories:
        table, machine = summaries.summarise(story), story.header["machine"]
        notes += [f"{story.header['run']}: {doubt}" for doubt in summaries.doubts(story, table)]
        tables.append(table.assign(id=table.index, time=machine["time"], commit=machine["commit"] or ""))
    rows = pd.concat(tables, ignore_index=True)
    if not controls:
        rows = rows[~rows["kind"].map(is_control)]
    ok = rows["status"] == "ok"
    notes += [f"{row.run}: {row.id} is left out: {row.status}: {row.reason}" for row in rows[~ok].itertuples()]
    if not ok.any():
        raise UsageError("export: no row of these runs has a number; name a run that was measured to its end.")
    text, left_out = importlib.import_module(formats()[name]).write(rows[ok])
    return text, [*notes, *left_out]


def write(content: str | bytes, output: Path | None) -> None:
    """Writes to `output`, or a text to stdout without one. Raises `UsageError`."""
    if output is None:
        print(content, end="")
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_bytes(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise UsageError(f"-o {output}: cannot be written: {error.strerror}; name another file.") from None
