"""If these fail, a reader sees a number with the wrong unit, or a table that does not fit."""

import io
import math

import pytest

from bench import units
from bench.analyse import summaries
from bench.show import grid, tables
from tests.made import key_of, story

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        (units.seconds, 1.5, "1.50 s"), (units.seconds, 0.0123, "12.3 ms"),
        (units.seconds, 297.4e-6, "297 µs"), (units.seconds, 9.996e-4, "1.00 ms"),
        (units.seconds, 1.4e-7, "140 ns"), (units.seconds, 3.1e-11, "0.0310 ns"),
        (units.seconds, NAN, ""), (units.seconds, 0.99999, "1.00 s"), (units.seconds, 123, "123 s"),
        (units.size, 0, "0 B"), (units.size, 999.4, "999 B"), (units.size, 999.5, "1.00 kB"),
        (units.size, 26e6, "26.0 MB"), (units.size, 1.234e12, "1234 GB"), (units.size, INF, ""),
        (units.flop, 0, "0 FLOP"), (units.flop, 1500, "1.5 kFLOP"), (units.flop, NAN, ""),
        (units.flop, 25_984_000, "26 MFLOP"), (units.flop, 1.2345e12, "1.23e+03 GFLOP"),
        (units.flop, INF, "inf GFLOP"),
        (units.amount, 0, "0"), (units.amount, 12.5, "12.5"), (units.amount, 1500, "1.5 k"),
        (units.amount, 2_613_456.7, "2.613 M"), (units.amount, -3, "-3"), (units.amount, NAN, ""),
        (units.giga, 1.5e9, "1.50"), (units.giga, 2e11, "200"), (units.giga, NAN, ""),
    ],
)  # fmt: skip
def test_numbers_have_three_digits_and_the_unit_that_suits(unit, value, text):
    assert unit(value) == text


def _shown(table, width):
    out = io.StringIO()
    tables.terminal(table, grid.console(out, width))
    return out.getvalue().splitlines()


@pytest.fixture
def table():
    slower = {"slow": 1.5}
    run = story(lambda name, p, b: (3e-4 + 1e-6 * p) * slower.get(name, 1), blocks=1)
    return summaries.summarise(run)


def test_the_table_fits_and_a_wide_terminal_shows_more(table):
    titles = {"backend", "time/step", "latency", "ratio", "95 % interval", "of best", "verdict"}
    for width in (80, 140):
        lines = _shown(table, width)
        assert max(map(len, lines[1:5])) <= width
        assert [title for title in titles if title not in lines[1]] == []
        assert ("faults/step" in lines[1]) == (width == 140)


@pytest.mark.parametrize("width", [30, 80])
def test_a_column_without_room_is_not_explained(table, width):
    titles, *below = _shown(table, width)[1:]
    assert ("of best" in titles) == any("of best: " in line for line in below) == (width == 80)


def test_what_all_rows_share_stands_above_and_what_varies_is_a_column(table):
    assert _shown(table, 80)[0] == "cpu · float32 · 1 thread · 64x1000x100x10"
    table.loc[key_of("slow"), "device"] = "cuda"
    lines = _shown(table, 100)
    assert lines[0].startswith("device varies · float32")
    assert "device" in lines[1]


def test_rows_without_a_number_are_listed_with_their_reason(table):
    reason = "slow[cpu, float32] died of SIGSEGV."
    table.loc[key_of("slow"), ["status", "reason", "seconds_per_step"]] = ["failed", reason, NAN]
    assert f"failed: {reason}" in _shown(table, 80)
    assert f"- failed: {reason}" in tables.markdown(table)


def test_incomplete_rows_are_marked():
    lines = _shown(summaries.summarise(story(lambda *_: 1e-4, passes=3, end=False)), 100)
    assert any("base (incomplete)" in line for line in lines)
    assert "incomplete: base, slow, twin[cpu] 3 of 20 passes were finished" in lines
