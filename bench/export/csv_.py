"""Every row, as `summary.csv` has it, with its machine and run."""

from __future__ import annotations

import pandas as pd

from bench.analyse import summaries
from bench.export._format import Format
from bench.schema.summary import SUMMARY


def text(rows: pd.DataFrame) -> str:
    columns = [*dict.fromkeys(["machine", "run", *SUMMARY])]
    return str(summaries.only_ok_times(rows)[columns].to_csv(index=False))


FORMAT = Format(text, every_row=True)
