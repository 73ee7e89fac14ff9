"""Turns the tables of stored runs into the files that other tools read: seconds, full precision, one name per case.

It must never hand on a number of a row that is not `ok`, nor two numbers under one name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from bench.analyse import summaries
from bench.errors import UsageError
from bench.export import asv
from bench.record import journal
from bench.schema.case import Case, is_control

MEASURES = ("seconds_per_step", "latency_seconds_per_step", "device_seconds_per_step", "ratio")
"""The columns that have an interval; the others describe."""


def export(stories: Iterable[journal.Story], format: str, controls: bool) -> tuple[dict[str, str], list[str]]:
    """The files of a format as path -> text, and what a reader of them has to be told, a line each.

    A format of one file has the path ""; without any number there is no file. Raises `UsageError` if a name has two.
    """
    read = [(story, summaries.summarise(story)) for story in stories]
    told = [f"{story.header['run']}: {doubt}" for story, table in read for doubt in summaries.doubts(story, table)]
    table = pd.concat([table.assign(id=[Case.of_row(row).path for row in table.to_dict("records")]) for _, table in read], ignore_index=True)
    if not controls:
        table = table[~table["kind"].map(is_control)]
    if format == "csv":
        return {"": csv(table)}, told
    rows = table[table["status"] == "ok"]
    missing = table[table["status"] != "ok"]
    told += [f"{row.run}: {row.id} is left out: {row.status}: {row.reason}" for row in missing.itertuples()]
    if format == "asv":
        rows, homeless = asv.with_commit([story for story, _ in read], rows)
        told += homeless
    if rows.empty:
        return {}, told
    if format == "asv":
        return asv.files([story for story, _ in read], rows), told
    _check_names(rows, format)
    return {"": FORMATS[format](rows)}, told


def github_action_benchmark(rows: pd.DataFrame) -> str:
    """For the tool `customSmallerIsBetter`; `range` is the longer side of the 95 % interval, in the same unit."""
    return _json([_github_entry(row) for row in _records(rows)])


def bencher(rows: pd.DataFrame) -> str:
    """Bencher Metric Format. A measure's slug names its unit: Bencher's own `latency` would be nanoseconds."""
    cases = {row["id"]: row for row in _records(rows)}
    return _json({name: _metrics(row) for name, row in cases.items()})


def csv(table: pd.DataFrame) -> str:
    """Every row, as `summary.csv` has it, with its machine and run; a row that is not `ok` says why and has no times."""
    return summaries.only_ok_times(table)[[*dict.fromkeys(["machine", "run", *summaries.SUMMARY])]].to_csv(index=False)


FORMATS: dict[str, Callable[[pd.DataFrame], str]] = {"github-action-benchmark": github_action_benchmark, "bencher": bencher}


def write(files: dict[str, str], output: Path | None) -> None:
    """Writes to `output`, or to stdout without one; several files need a folder. Raises `UsageError`."""
    if not files:
        raise UsageError("export: no row of these runs has a number; name a run that was measured to its end.")
    if output is None:
        if set(files) != {""}:
            raise UsageError("export: --format asv is several files; name their folder with -o, such as -o .asv/results.")
        print(files[""], end="")
        return
    try:
        for path, text in files.items():
            target = output / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(asv.merged(target, text) if target.name == asv.LIST and path else text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"-o {output}: cannot be written: {error.strerror}; name another place.") from None


def _check_names(rows: pd.DataFrame, format: str) -> None:
    for name, same in rows.groupby("id", sort=False)["run"]:
        if len(same) > 1:
            raise UsageError(
                f"export: {name} is in the runs {' and '.join(same)}, and {format} takes one value per name; "
                "name one run, or use --format csv."
            )


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as plain values, without those that are missing: JSON has no NaN."""
    return [{str(name): value for name, value in row.items() if not pd.isna(value)} for row in rows.to_dict("records")]


def _github_entry(row: dict[str, Any]) -> dict[str, Any]:
    value, low, high = (row[f"seconds_per_step{end}"] for end in ("", "_low", "_high"))
    extra = [f"{name}: {row[name]}" for name in ("machine", "run", "versions")]
    extra += [f"{name}: {row[name]:.0f}" for name in ("processes", "rounds")]
    if "ratio" in row:
        extra.append(f"ratio: {row['ratio']} ({row['ratio_low']} to {row['ratio_high']})")
    half = f"± {max(high - value, value - low)}"
    return {"name": row["id"], "unit": "s", "value": value, "range": half, "extra": "\n".join(extra)}


def _metrics(row: dict[str, Any]) -> dict[str, dict[str, float]]:
    ends = {"value": "", "lower_value": "_low", "upper_value": "_high"}
    return {
        measure.replace("_", "-"): {name: row[f"{measure}{end}"] for name, end in ends.items()}
        for measure in MEASURES
        if measure in row
    }


def _json(value: object) -> str:
    return json.dumps(value, indent=2, allow_nan=False) + "\n"
