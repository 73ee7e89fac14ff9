"""If these fail, a row is marked, placed or looked up as another one, a bar has another length than its time, or a table does
not fit."""

import io
import math

import pytest

from bench.analyse import summaries
from bench.show import grid
from bench.show.grid import Column, column
from tests.made import NAMES, a_case, a_hole, key_of, story


def test_a_row_has_the_key_that_the_journal_gave_its_case_and_its_name_the_side():
    """Controls and the twin included; a baseline is found by it."""
    cases = [a_case(name, side="x") for name in (*NAMES, "null", "peak_arithmetic")]
    run = story(lambda *_: 1e-4, 2, cases=cases, holes=[a_hole("is not here")])
    table = grid.summary_rows(summaries.summarise(run))
    assert [row["key"] for row in table] == [*(case["key"] for case in cases), a_hole("")["key"]]
    assert [row["label"] for row in table if grid.is_baseline(row)] == ["base@x"]
    assert (table[-1]["label"], table[-1]["time"], table[-1]["ratio"]) == ("absent", None, None)


def test_the_time_is_undisturbed_or_the_mean_of_rounds_and_so_is_the_ratio():
    table = summaries.summarise(story(lambda *_: 3e-4, 4, singly=True))
    undisturbed = [f"{grid.UNDISTURBED}{end}" for end in ("", "_low", "_high")]

    def found(queued):
        changed = table.copy()
        changed.loc[key_of(queued), [*undisturbed, grid.MEAN]] = [math.nan] * 3 + [5e-4]
        return {row["backend"]: (row["time"], row["mean"], row["of_means"]) for row in grid.summary_rows(changed)}

    time = table.loc[key_of("base"), undisturbed[0]]
    assert found("slow") == {"base": (time, False, False), "slow": (5e-4, True, True), "twin": (time, False, False)}
    assert found("base") == {"base": (5e-4, True, True), "slow": (time, False, True), "twin": (time, False, True)}


def test_rows_stand_by_side_place_and_time_with_controls_last():
    places = [(name, threads) for name in (*NAMES, "null") for threads in (2, 1)]
    times = {"base": 2.0, "slow": 1.0, "twin": 2.0, "null": 0.1}
    cases = [a_case(name, threads=threads) for name, threads in places]
    rows, varying = grid.arranged(summaries.summarise(story(lambda name, *_: times[name], 2, cases=cases)))
    assert varying == ["threads"]
    assert [f"{row['backend']} {grid.place_of(row, [*varying, 'side'])}" for row in rows] == [
        f"{name} threads {threads}" for pair in (("slow", "base"), ("null", "twin")) for threads in (2, 1) for name in pair
    ]


@pytest.mark.parametrize(
    ("share", "text"), [(1.0, "█" * 10), (0.5, "█████"), (0.5125, "█████▏"), (0.0, ""), (0.0126, "▏"), (math.nan, "")]
)
def test_a_bar_is_as_long_as_its_share_to_an_eighth(share, text):
    assert grid.bar(share, 10) == text


def test_times_30_apart_are_far_apart():
    assert [grid.is_wide(times) for times in ([], [1, 30], [1, 30.1])] == [False, False, True]


def test_a_narrow_table_leaves_out_columns_that_say_nothing_and_the_least_important():
    columns = [column("way"), column("sum", 1, "{}+{}".format, "a", "b"), Column("none", lambda row: ""), column("idea", 2)]
    rows = [{"way": "x|y", "a": 1, "b": 2, "idea": "i"}, {"way": "z", "a": None, "b": 2, "idea": "i"}]
    out = io.StringIO()
    grid.show(columns, rows, grid.console(out, 9))
    assert [line.split() for line in out.getvalue().splitlines()] == [["way", "sum"], ["x|y", "1+2"], ["z"]]
    assert grid.pipes(columns, rows) == ["| way | sum | idea |", "|---|---:|---|", "| x\\|y | 1+2 | i |", "| z |  | i |"]
