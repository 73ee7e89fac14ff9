"""Every row, as `summary.csv` has it, with its machine and run; a row that is not `ok` says why and has no times."""

from __future__ import annotations

from bench.analyse import summaries
from bench.export._format import Format, Runs
from bench.schema.summary import SUMMARY


def files(runs: Runs) -> dict[str, str]:
    columns = [*dict.fromkeys(["machine", "run", *SUMMARY])]
    return {"": summaries.only_ok_times(runs.table)[columns].to_csv(index=False)}


FORMAT = Format(files, every_row=True)
