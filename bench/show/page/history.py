"""Several runs beside each other: every step's time from run to run, and the verdicts of each run beside the first.

No more is read of a run than its estimates: there may be a thousand of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bench.analyse import comparison, reading
from bench.analyse.run import Run
from bench.analyse.summaries import only_ok_times
from bench.errors import UsageError
from bench.schema.case import CASE_COLUMNS, CONTROLS, SIDE
from bench.show.page.headline import beside
from bench.show.page.values import Json, columns

TIMES = ["seconds_per_step", "seconds_per_step_low", "seconds_per_step_high"]
COLUMNS = ["run", "machine", *CASE_COLUMNS, SIDE, *TIMES]


def times(early: Sequence[Path], detailed: Sequence[Run]) -> tuple[Json, list[str]]:
    """A row for every run and step that is `ok`, and one sentence for every early journal that could not be used."""
    read = reading.read([file.parent for file in early]) if early else None
    tables = [*([read.table] if read else []), *(only_ok_times(run.table) for run in detailed)]
    whole = pd.concat([table[[*COLUMNS, "kind", "status"]] for table in tables], ignore_index=True)
    whole = whole[(whole["status"] == "ok") & ~whole["kind"].isin(CONTROLS)][COLUMNS]
    table = columns(whole.assign(run=whole["run"].str.split("/").str[-1]))
    return table, read.left_out if read else []


def comparisons(base: Path, detailed: Sequence[Run], results: Path) -> tuple[list[Json], list[str]]:
    """Each run beside the one in `base`, and one sentence for whatever could not be compared."""
    compared, left_out = [], []
    for run in detailed:
        if run.folder == base:
            continue
        try:
            verdicts = comparison.of_files([base], [run.folder], results)
        except UsageError as error:
            left_out.append(f"Not compared: {error}")
            continue
        left_out += verdicts.left_out
        head = run.story.header["run"]
        compared.append(
            {
                "base": base.name,
                "head": head,
                "text": beside(head, base.name, list(verdicts.table["verdict"]), verdicts.doubts),
                "doubts": verdicts.doubts,
                "margin": verdicts.margin,
                "lost": verdicts.lost,
                "table": columns(verdicts.table),
            }
        )
    return compared, left_out
