"""If these fail, a bar in the terminal has another length than its time, or a table does not fit."""

import io
import math

import pytest

from bench.show import grid
from bench.show.grid import Column, number, plain


@pytest.mark.parametrize(
    ("share", "text"),
    [(1.0, "█" * 10), (0.5, "█████"), (0.5125, "█████▏"), (0.0, ""), (0.0126, "▏"), (math.nan, "")],
)
def test_a_bar_is_as_long_as_its_share_to_an_eighth(share, text):
    assert grid.bar(share, 10) == text


def test_times_30_apart_are_far_apart():
    assert [grid.is_wide(times) for times in ([], [1, 30], [1, 30.1])] == [False, False, True]


def test_a_narrow_table_leaves_out_columns_that_say_nothing_and_the_least_important():
    columns = [plain("way"), number("sum", 1, "{}+{}".format, "a", "b"), Column("none", lambda row: "", 0), plain("idea", 2)]
    rows = [{"way": "x|y", "a": 1, "b": 2, "idea": "i"}, {"way": "z", "a": None, "b": 2, "idea": "i"}]
    out = io.StringIO()
    grid.show(columns, rows, grid.console(out, 9))
    assert [line.split() for line in out.getvalue().splitlines()] == [["way", "sum"], ["x|y", "1+2"], ["z"]]
    assert grid.pipes(columns, rows) == ["| way | sum | idea |", "|---|---:|---|", "| x\\|y | 1+2 | i |", "| z |  | i |"]
