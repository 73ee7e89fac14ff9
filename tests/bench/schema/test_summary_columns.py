"""If these fail, the page that describes the summary points nowhere, or files keep times that they have no right to."""

from bench.paths import ROOT
from bench.schema.summary import COLUMNS, ONLY_OK, SUMMARY, checked_as


def test_every_column_is_told_once_and_filled_by_a_module_that_exists():
    assert len(SUMMARY) == len(set(SUMMARY))
    for columns in COLUMNS:
        assert (ROOT / "bench" / f"{columns.filled_by}.py").is_file(), columns.names
        assert columns.meaning


def test_whatever_follows_from_a_time_is_for_rows_that_are_ok():
    follows = ("ratio", "flop", "byte", "limit", "break", "verdict", "yardsticks", "relative", "processes_to", "strong", "weak")
    follows += ("bound", "rest")
    assert [name for name in SUMMARY if "seconds" in name or name.startswith(follows)] == ONLY_OK


def test_columns_with_a_unit_say_it_in_their_names():
    units = {"s": "seconds", "B": "bytes", "B/s": "byte_per_second", "1/s": "flop_per_second"}
    for columns in COLUMNS:
        if columns.unit:
            assert all(units[columns.unit] in name for name in columns.names)


def test_what_a_comparison_checks_are_columns():
    for check in ("name", "count", "time", "amount", "text"):
        assert set(checked_as(check)) <= set(SUMMARY)
        assert checked_as(check)
