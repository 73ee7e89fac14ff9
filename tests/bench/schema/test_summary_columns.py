"""If these fail, a column is described twice, or a file keeps a time that it has no right to."""

from bench.paths import ROOT
from bench.schema.summary import COLUMNS, ONLY_OK, SUMMARY

DERIVED = ("ratio", "flop", "byte", "bound", "break", "verdict", "processes_to")


def test_every_column_is_described_once_and_filled_by_a_module_that_exists():
    assert len(SUMMARY) == len(set(SUMMARY))
    for columns in COLUMNS:
        assert (ROOT / "bench" / f"{columns.filled_by}.py").is_file(), columns.names
        assert columns.meaning


def test_a_time_and_what_follows_from_it_is_for_rows_that_are_ok():
    follows = {name for name in SUMMARY if "seconds" in name or name.startswith(DERIVED)}
    assert follows - {*ONLY_OK} == set()
