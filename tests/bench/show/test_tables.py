"""If these fail, a reader sees a number with the wrong unit, or a table that does not fit."""

import io

import pytest

from bench import units
from bench.analyse import summaries
from bench.show import grid, tables
from tests.support import key_of, story


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.5, "1.50 s"), (0.0123, "12.3 ms"), (297.4e-6, "297 µs"), (9.996e-4, "1.00 ms"), (1.4e-7, "140 ns"),
        (3.1e-11, "0.0310 ns"), (float("nan"), ""), (0.99999, "1.00 s"), (123.0, "123 s"),
    ],
)  # fmt: skip
def test_seconds(value, text):
    assert units.seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"), (999.4, "999 B"), (999.5, "1.00 kB"), (912_345, "912 kB"), (26e6, "26.0 MB"), (1.234e12, "1234 GB"),
        (float("inf"), ""), (float("nan"), ""),
    ],
)  # fmt: skip
def test_size(value, text):
    assert units.size(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 FLOP"), (12.5, "12.5 FLOP"), (1500, "1.5 kFLOP"), (25_984_000, "26 MFLOP"), (1.2345e12, "1.23e+03 GFLOP"),
        (float("inf"), "inf GFLOP"), (float("nan"), ""),
    ],
)  # fmt: skip
def test_flop(value, text):
    assert units.flop(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (12.5, "12.5"), (1500, "1.5 k"), (2_613_456.7, "2.613 M"), (9_999_999, "10 M"), (-3, "-3"), (float("nan"), "")],
)
def test_amount(value, text):
    assert units.amount(value) == text


def test_giga():
    assert [units.giga(value) for value in (1.5e9, 2e11, float("nan"))] == ["1.50", "200", ""]


def test_spread_is_half_the_width_over_the_middle():
    assert units.spread(0.99, 1.01) == "±1.0%"


def _shown(table, width):
    out = io.StringIO()
    tables.terminal(table, grid.console(out, width))
    return out.getvalue().splitlines()


@pytest.fixture
def table():
    return summaries.summarise(story(lambda key, p, b: (3e-4 + 1e-6 * p) * (1.5 if key == "slow" else 1)))


@pytest.mark.parametrize("width", [80, 140])
def test_the_table_fits(table, width):
    lines = _shown(table, width)
    assert max(map(len, lines[1:5])) <= width
    for title in ("backend", "time/step", "latency", "ratio", "95 % interval", "of best", "verdict"):
        assert title in lines[1]


def test_a_wide_terminal_shows_more(table):
    assert "faults/step" in _shown(table, 140)[1]
    assert "faults/step" not in _shown(table, 80)[1]


def test_a_column_without_room_is_not_explained(table):
    told = {}
    for width in (30, 80):
        titles, *below = _shown(table, width)[1:]
        told[width] = ["of best" in titles, any("of best: " in line for line in below)]
    assert told == {30: [False, False], 80: [True, True]}


def test_what_all_rows_share_stands_above_and_what_varies_is_a_column(table):
    assert _shown(table, 80)[0] == "cpu · float32 · 1 thread · 64x1000x100x10"
    table.loc[key_of("slow"), "device"] = "cuda"
    lines = _shown(table, 100)
    assert lines[0].startswith("device varies · float32")
    assert "device" in lines[1]


def test_rows_without_a_number_are_listed_with_their_reason(table):
    lost = ["failed", "slow[cpu, float32] died of SIGSEGV.", float("nan")]
    table.loc[key_of("slow"), ["status", "reason", "seconds_per_step"]] = lost
    lines = _shown(table, 80)
    assert "failed: slow[cpu, float32] died of SIGSEGV." in lines
    assert "- failed: slow[cpu, float32] died of SIGSEGV." in tables.markdown(table)


def test_incomplete_rows_are_marked():
    table = summaries.summarise(story(lambda *_: 1e-4, passes=3, end=False))
    lines = _shown(table, 100)
    assert any("base (incomplete)" in line for line in lines)
    assert "incomplete: base, slow, twin[cpu] 3 of 20 passes were finished" in lines


def test_hardware_events_stand_in_the_table_where_there_are_any(table):
    titles = {"instr.", "cycles", "IPC", "L1 misses", "misses"}
    assert not titles & set(_shown(table, 400)[1].replace("L1 misses", "").split())
    counts = {"instructions": 3e6, "cycles": 2e6, "l1_misses": 7000, "cache_misses": 12}
    table.loc[key_of("slow"), [f"{name}_per_step" for name in counts]] = list(counts.values())
    text = "\n".join(_shown(table, 400))
    assert all(each in text for each in (*titles, "3 M", "2 M", "1.50", "7 k", "12"))
    table.loc[key_of("slow"), "cycles_per_step"] = 0.0
    assert "IPC" not in _shown(table, 400)[1]


@pytest.mark.parametrize(("ends", "text"), [((6, 1, 12), "6 (1–12)"), ((38577, 14850, float("inf")), "38577 (14850–∞)")])
def test_a_break_even_step_has_its_interval_or_does_not_stand_there(ends, text):
    (column,) = (column for column in tables._MEASURES if column.title == "pays after")
    names = ("break_even_steps", "break_even_steps_low", "break_even_steps_high")
    assert column.text(dict(zip(names, ends, strict=True))) == text
    assert column.text(dict.fromkeys(names, float("nan"))) == ""
