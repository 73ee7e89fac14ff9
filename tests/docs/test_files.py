"""If these fail, the page on files leaves out a field that a file holds, or describes none's."""

import re
from typing import get_type_hints

import pytest

from bench.paths import ROOT
from bench.record import frame
from bench.schema.records import KINDS, Header
from bench.schema.summary import SUMMARY

PAGE = (ROOT / "docs" / "files.md").read_text()
EVERYWHERE = {"record", "pass", "at_seconds"}


def _cells(heading, column=0):
    """The names that a column of a section's table lists, row by row."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*) \|$", section, re.M)
    return [re.findall(r"`([\w.@]+)`", row.split(" | ")[column]) for row in rows]


@pytest.mark.parametrize(
    ("heading", "columns"),
    [
        ("`summary.csv`", {*SUMMARY}),
        ("`samples.csv`", {*frame.COLUMNS}),
    ],
)
def test_every_column_is_described_and_no_other(heading, columns):
    assert {name for cell in _cells(heading) for name in cell} == columns


def test_every_field_of_a_journal_is_described():
    kinds, fields = (_cells("`journal.jsonl`", column) for column in (0, 1))
    described = {kind: {*names} for (kind,), names in zip(kinds, fields, strict=True)}
    known = {"header": Header, **KINDS}
    assert described.keys() == known.keys()
    for kind, record in known.items():
        assert {*get_type_hints(record)} - EVERYWHERE - described[kind] == set(), kind
