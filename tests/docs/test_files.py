"""If these fail, the page on files leaves out something that a file holds, or describes something that none does."""

import re
from pathlib import Path
from typing import get_type_hints

import pandas as pd

from bench.record import frame, journal
from bench.schema.records import KINDS, Header
from bench.schema.summary import SUMMARY
from bench.show import generated

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "files.md").read_text()
FILES = generated.committed(ROOT)


def _cells(heading: str, column: int = 0) -> list[list[str]]:
    """The names that a column of a section's table tells of, row by row."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*) \|$", section, re.M)
    assert rows, heading
    return [re.findall(r"`([\w.@]+)`", row.split(" | ")[column]) for row in rows]


def _described(heading: str) -> list[str]:
    return [name for cell in _cells(heading) for name in cell]


def test_every_column_of_the_summary_is_described_and_no_other():
    assert sorted(_described("`summary.csv`")) == sorted(SUMMARY)


def test_every_column_of_the_samples_is_described_and_no_other():
    assert sorted(_described("`samples.csv`")) == sorted(frame.COLUMNS)


def test_every_column_of_a_sweep_is_described_and_no_other():
    names = ("scaling.csv", "scaling_points.csv", "crossings.csv")
    columns = {column for file in FILES if file.name in names for column in pd.read_csv(file, nrows=0)}
    assert set(_described("`scaling.csv`, `scaling_points.csv`, `crossings.csv`")) == columns


def test_every_field_of_a_journal_is_described():
    heading = "`journal.jsonl`"
    described = {kind: set(fields) for (kind,), fields in zip(_cells(heading), _cells(heading, 1), strict=True)}
    everywhere = {"record", "pass", "at_seconds"}
    for file in FILES:
        if file.name == journal.NAME:
            story = journal.read(file)
            for record in (story.header, *story.records):
                assert set(record) <= described[record["record"]] | everywhere, (file, record["record"])
    assert set(described) == {"header", *KINDS}
    for kind, record in (("header", Header), *KINDS.items()):
        assert set(get_type_hints(record)) <= described[kind] | everywhere, kind


def test_every_file_of_a_committed_run_is_described():
    listed = set(re.findall(r"`([\w.]+\.\w+)`", PAGE.partition("\n## ")[0]))
    assert {file.name for file in FILES} - {"README.md"} <= listed
