"""Several runs beside each other: every step's time from run to run, and the verdicts of each run beside the first.

It must never read more of a run than its estimates, of which there may be a thousand.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bench.analyse import comparison, reading
from bench.analyse.run import Run
from bench.analyse.summaries import only_ok_times
from bench.errors import UsageError
from bench.schema.case import CASE_COLUMNS, CONTROLS, SIDE
from bench.show.page.headline import beside
from bench.show.page.values import columns

TIMES = ["seconds_per_step", "seconds_per_step_low", "seconds_per_step_high"]
COLUMNS = ["run", "machine", *CASE_COLUMNS, SIDE, *TIMES]


def told(files: Sequence[Path], detailed: Sequence[Run], results: Path, left_out: list[str]) -> dict[str, Any]:
    """`history` is a table of times; `comparisons` has each detailed run beside the first. Appends to `left_out`."""
    if len(files) == 1:
        return {"history": None, "comparisons": []}
    early = files[: len(files) - len(detailed)]
    read = reading.read([file.parent for file in early]) if early else None
    left_out += read.left_out if read else []
    tables = [*([read.table] if read else []), *(only_ok_times(run.table) for run in detailed)]
    whole = pd.concat([table[[*COLUMNS, "kind", "status"]] for table in tables], ignore_index=True)
    whole = whole[(whole["status"] == "ok") & ~whole["kind"].isin(CONTROLS)][COLUMNS]
    return {
        "history": columns(whole.assign(run=whole["run"].str.rpartition("/")[2])),
        "comparisons": _beside(files[0].parent, detailed, results, left_out),
    }


def _beside(base: Path, detailed: Sequence[Run], results: Path, left_out: list[str]) -> list[dict[str, Any]]:
    found = []
    for run in detailed:
        if run.folder == base:
            continue
        try:
            one = comparison.of_files([base], [run.folder], (), results)
        except UsageError as error:
            left_out.append(f"Not compared: {error}")
            continue
        left_out += one.left_out
        head = run.story.header["run"]
        text = beside(head, base.name, list(one.table["verdict"]), one.doubts)
        about = {"base": base.name, "head": head, "text": text, "doubts": one.doubts, "margin": one.margin}
        found.append(about | {"lost": one.lost, "table": columns(one.table)})
    return found
