"""If these fail, a reader sees a number with the wrong unit, or a table that does not fit."""

import io
import math

import pandas as pd
import pytest

from bench import units
from bench.analyse import summaries
from bench.show import grid, tables
from tests.made import NAMES, a_case, key_of, story

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        (units.seconds, 0.0123, "12.3 ms"), (units.seconds, 297.4e-6, "297 µs"), (units.seconds, 9.996e-4, "1.00 ms"),
        (units.seconds, 1.4e-7, "140 ns"), (units.seconds, 3.1e-11, "0.0310 ns"), (units.seconds, NAN, ""),
        (units.seconds, 0.99999, "1.00 s"), (units.seconds, 123, "123 s"), (units.size, 0, "0 B"),
        (units.size, 999.4, "999 B"), (units.size, 999.5, "1.00 kB"), (units.size, 26e6, "26.0 MB"),
        (units.size, 1.234e12, "1234 GB"), (units.size, INF, ""), (units.giga, 1.5e9, "1.50"), (units.giga, NAN, ""),
    ],
)  # fmt: skip
def test_numbers_have_three_digits_and_the_unit_that_suits(unit, value, text):
    assert unit(value) == text


def _shown(table, width, **options):
    out = io.StringIO()
    tables.terminal(table, grid.console(out, width), **options)
    return out.getvalue().splitlines()


@pytest.fixture(scope="module")
def summary():
    cases = [a_case(name) for name in (*NAMES, "null")]
    times = lambda name, p, b: (3e-4 + 1e-6 * p) * (1.5 if name == "slow" else 1)  # noqa: E731
    return summaries.summarise(story(times, blocks=1, singly=True, cases=cases))


@pytest.fixture
def table(summary):
    """A copy that a test may change."""
    return summary.copy()


@pytest.mark.parametrize(("width", "more"), [(40, set()), (80, {"95 % interval", "as it ran"}), (140, {"peak", "latency"})])
def test_the_table_fits_and_keeps_the_verdict_and_a_wide_terminal_shows_more(summary, width, more):
    head, *rows = _shown(summary.assign(peak_bytes_per_step=1e6), width)[:3]
    assert max(map(len, (head, *rows))) <= width
    assert [title for title in {"way", "step", "ratio", "verdict", *more} if title not in head] == []
    assert [row.split()[0] for row in rows] == ["base", "slow"]
    assert ["baseline" in rows[0], "SLOWER" in rows[1]] == [True, True]


def test_the_bar_ends_a_line_and_is_longest_where_a_step_is_slowest(summary):
    base, slow = (row.rpartition("s")[2].strip() for row in _shown(summary, 80)[1:3])
    assert {*base, *slow} <= set("█▏▎▍▌▋▊▉")
    assert len(base) / len(slow) == pytest.approx(2 / 3, abs=0.1)


def test_the_bound_is_shown_and_explained_where_a_peak_was_measured(summary):
    texts = ["\n".join(_shown(summary.assign(bound_by=by, bound_share=0.42), 140)) for by in ("peak", "best seen")]
    assert [text.count("of bound") for text in texts] == [2, 0]
    assert [text.count("42%") for text in texts] == [2, 0]


def test_steps_are_undisturbed_and_the_mean_is_as_it_ran(table):
    table.loc[key_of("slow"), ["seconds_per_step", "undisturbed_seconds_per_step"]] = [9e-4, 1e-4]
    _, slow, base = _shown(table, 80)[:3]
    assert [slow.split()[i] for i in (0, 1, 2)] == ["slow", "100", "µs"], "sorted by it"
    assert "900 µs" in slow
    assert base.split()[0] == "base"


def test_a_step_without_an_undisturbed_time_is_marked_with_its_ratio_and_explained(table):
    assert not any("*" in line for line in _shown(table, 100))
    for end in ("", "_low", "_high"):
        table.loc[key_of("slow"), f"undisturbed_seconds_per_step{end}"] = NAN
    lines = _shown(table, 100)
    base, slow = lines[1:3]
    assert ("*" in base, slow.count("*")) == (False, 2)
    assert len([line for line in lines if line.startswith("*: no undisturbed time")]) == 1
    assert "| slow | 464 µs* | 1.500* |" in tables.markdown(table)


def test_controls_are_shown_on_request_and_folded_in_markdown(summary):
    assert "null" not in "".join(_shown(summary, 80))
    assert "null" in "".join(_shown(summary, 80, controls=True))
    ways, _, controls = tables.markdown(summary).partition("<details>")
    assert ["| null |" in part for part in (ways, controls)] == [False, True]


def test_what_varies_is_a_column_and_rows_without_a_number_are_listed_with_their_reason(table):
    table.loc[key_of("slow"), "device"] = "cuda"
    assert "device" in _shown(table, 100)[0]
    reason = "slow[cpu, float32] died of SIGSEGV."
    table.loc[key_of("slow"), ["status", "reason", "seconds_per_step"]] = ["failed", reason, NAN]
    assert tables.notes(table) == [f"failed: {reason}"]
    assert f"- failed: {reason}" in tables.markdown(table)


def test_advice_names_each_way_once_with_the_most_passes(summary):
    more = summary.assign(threads=2, processes_to_decide=[NAN, 30, NAN, NAN])
    both = pd.concat([summary.assign(processes_to_decide=[NAN, 20, 5, NAN]), more])
    (advice,) = [line for line in tables.notes(both) if line.startswith("UNDECIDED")]
    assert advice.endswith("would decide: slow 30")


def test_incomplete_rows_are_marked():
    table = summaries.summarise(story(lambda *_: 1e-4, passes=3, end=False))
    assert any("base (incomplete)" in line for line in _shown(table, 100))
    assert "incomplete: base, slow, twin[cpu] 3 of 20 passes were finished" in tables.notes(table)
