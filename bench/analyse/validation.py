"""What a row of results has to be, checked with pandera; a file with any row that is not has one sentence said about it.

No value is changed: a file with a wrong one is left out, with its place.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any

import pandas as pd

from bench.errors import missing
from bench.schema.case import CASE_COLUMNS, SIDE
from bench.schema.summary import checked_as

STATUSES = ("ok", "wrong", "failed", "unavailable", "incomplete")
NAMES, COUNTS, ESTIMATES, AMOUNTS = map(checked_as, ("name", "count", "time", "amount"))
ENDS = tuple(name for name in ESTIMATES if name.endswith(("_low", "_high")))
"""Of intervals, which no plausible range bounds: of two passes that disagree they are orders of magnitude apart."""
TIMES = tuple(name for name in ESTIMATES if name not in ENDS)
PATTERNS = {
    "machine": (r"[\w.+-]{0,200}", "a machine's name of letters, digits, dots, pluses and dashes"),
    "python": (r"([1-9]\.\d{1,2}\.\d{1,2}(\D.*)?)?", "a version such as 3.11.7"),
    "source_hash": (r"\w*", "a hash of letters and digits"),
}
EXPECTED = {
    **dict.fromkeys(NAMES, "a name"),
    "status": f"one of {', '.join(STATUSES)}",
    **dict.fromkeys(COUNTS, "a whole number of at least 1"),
    **dict.fromkeys(TIMES, "a number between 1e-12 and 1e9, with a decimal point"),
    **dict.fromkeys(ENDS, "a number above 0, with a decimal point"),
    **dict.fromkeys(AMOUNTS, "a number of at least 0, with a decimal point"),
    **{name: expected for name, (_, expected) in PATTERNS.items()},
}
TEXTS = checked_as("text")
COLUMNS = [*dict.fromkeys([*EXPECTED, *TEXTS]), "file"]


def checked(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The rows of every file that is right as a whole, as numbers, and the first sentence about each of the others."""
    schema = _schema()
    from pandera.errors import SchemaErrors

    numbers = [name for name in EXPECTED if name not in PATTERNS]
    rows = rows.assign(**{name: rows[name].astype(object).fillna("").astype(str) for name in TEXTS})
    rows[numbers] = rows[numbers].replace("", None)
    try:
        valid = schema.validate(rows, lazy=True)
        faults = []
    except SchemaErrors as errors:
        valid = rows.iloc[:0]
        faults = [_fault(case, rows) for case in errors.failure_cases.dropna(subset=["index"]).to_dict("records")]
    within, across = (valid.duplicated([*where, "run", *CASE_COLUMNS, SIDE]) for where in (["file"], []))
    twice = within if within.any() else across
    faults += [(int(row), "holds a case of this run once more; a run has one row for each") for row in valid.index[twice]]
    bad: dict[str, str] = {}
    for row, text in sorted(faults):
        file, line = str(rows.at[row, "file"]), rows["line"].to_numpy()[row]
        place = file if pd.isna(line) else f"{file}:{int(line)}"  # a journal's rows stand in no line
        bad.setdefault(file, f"{place}: {text}; fix the line or leave the file out.")
    if not bad:
        return pd.DataFrame(valid.drop(columns="line")), []
    kept = rows[~rows["file"].isin(list(bad))].reset_index(drop=True)
    further, sentences = checked(kept) if len(kept) else (kept, [])
    return further, [*bad.values(), *sentences]


def _fault(case: dict[Hashable, Any], rows: pd.DataFrame) -> tuple[int, str]:
    row, column = int(case["index"]), str(case["column"])
    if case["schema_context"] != "Column":
        return row, "status is ok, so it needs a time, in seconds_per_step"
    value = rows[column].to_numpy()[row]
    return row, f"{column} is {'missing' if value is None else repr(str(value))}, expected {EXPECTED[column]}"


def _schema() -> Any:
    """The rules as pandera takes them."""
    try:
        import pandera.pandas as pa
    except ModuleNotFoundError:
        raise missing("pandera", "reading results", extra="compare") from None

    time, end, amount = [pa.Check.gt(1e-12), pa.Check.lt(1e9)], [pa.Check.gt(0), pa.Check.lt(math.inf)], [pa.Check.ge(0)]
    columns = {name: pa.Column(str, pa.Check.str_length(min_value=1)) for name in NAMES}
    columns["status"] = pa.Column(str, pa.Check.isin(STATUSES))
    columns |= {name: pa.Column(int, pa.Check.ge(1), coerce=True) for name in COUNTS}
    columns |= {name: pa.Column(float, time, nullable=True, coerce=True) for name in TIMES}
    columns |= {name: pa.Column(float, end, nullable=True, coerce=True) for name in ENDS}
    columns |= {name: pa.Column(float, amount, nullable=True, coerce=True) for name in AMOUNTS}
    columns |= {name: pa.Column(str, pa.Check.str_matches(f"^{pattern}$")) for name, (pattern, _) in PATTERNS.items()}
    timed = pa.Check(lambda t: (t["status"] != "ok") | t["seconds_per_step"].notna())
    return pa.DataFrameSchema(columns, checks=timed, strict=False)
