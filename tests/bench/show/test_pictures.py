"""If these fail, a picture shows another time than the table, or changes although nothing was measured anew."""

import math

import pandas as pd
import pytest

from bench.analyse import summaries
from bench.errors import UsageError
from bench.show import pictures
from tests.support import key_of, story

pytest.importorskip("matplotlib")


@pytest.fixture
def table():
    found = summaries.summarise(story(lambda key, p, b: (3e-4 + 1e-6 * p) * (1.5 if key == "slow" else 1)))
    return found.assign(bound_seconds_per_step=1e-4, bound_by="peak")


def _dots(figure):
    """(label, times) of every group of dots."""
    (axes,) = figure.axes
    return [(bar.get_label(), list(bar.lines[0].get_xdata())) for bar in axes.containers]


def test_dots_stand_at_the_times_of_the_table_and_the_quickest_is_on_top(table):
    figure = pictures.times(table)
    ((label, x),) = _dots(figure)
    expected = table.set_index("backend")["seconds_per_step"]
    assert label == "time, 95 % interval"
    assert x == [expected["base"], expected["slow"]]
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_yticklabels()] == ["base", "slow"]
    assert axes.yaxis_inverted()
    assert {"µs" in text.get_text() for text in axes.texts} == {True}
    (interval,) = axes.containers[0].lines[2]
    ends = [segment[:, 0] for segment in interval.get_segments()]
    assert ends[1][0] == pytest.approx(table.loc[key_of("slow"), "seconds_per_step_low"])
    assert ends[1][1] == pytest.approx(table.loc[key_of("slow"), "seconds_per_step_high"])


def test_bounds_and_the_baseline_are_where_the_table_has_them(table):
    (axes,) = pictures.times(table).axes
    strokes = [line.get_xdata() for line in axes.lines if line.get_markersize() == 9 and len(line.get_xdata())]
    dotted = [line.get_xdata() for line in axes.lines if line.get_linestyle() == ":" and len(line.get_xdata())]
    assert [list(one) for one in strokes] == [[1e-4, 1e-4]]
    assert [set(one) for one in dotted] == [{table.loc[key_of("base"), "seconds_per_step"]}]


def test_what_varies_has_a_colour_each(table):
    more = table.assign(threads=2, seconds_per_step=0.6 * table["seconds_per_step"])
    figure = pictures.times(pd.concat([table, more], ignore_index=True))
    assert [label for label, _ in _dots(figure)] == ["threads 1", "threads 2"]
    colours = [bar.lines[0].get_color() for bar in figure.axes[0].containers]
    assert colours == list(pictures.COLOURS[:2])


def test_times_that_are_far_apart_get_a_log_axis(table):
    assert pictures.times(table).axes[0].get_xscale() == "linear"
    table.loc[key_of("slow"), "seconds_per_step"] *= 100
    assert pictures.times(table).axes[0].get_xscale() == "log"


def test_an_interval_of_two_processes_does_not_push_the_dots_aside(table):
    table.loc[key_of("slow"), "seconds_per_step_high"] = 1.0
    assert pictures.times(table).axes[0].get_xlim()[1] < 2 * table["seconds_per_step"].max()


def test_the_same_run_is_the_same_file_and_opaque(table):
    one, other = (pictures.svg(pictures.times(table)) for _ in range(2))
    assert one == other
    assert b"dc:date" not in one
    assert pictures.times(table).get_facecolor() == (1, 1, 1, 1)


def test_preferences_of_whoever_draws_it_do_not_show(table):
    import matplotlib

    plain = pictures.svg(pictures.times(table))
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "black"}):
        assert pictures.svg(pictures.times(table)) == plain


def test_what_cannot_be_drawn_is_one_sentence(table, tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="no step of this run has a time"):
        pictures.times(table.assign(seconds_per_step=math.nan))
    with pytest.raises(UsageError, match="the suffix says the format; end the name in one of .*svg"):
        pictures.save(pictures.times(table), tmp_path / "times")
    with pytest.raises(UsageError, match="cannot be written: No such file or directory"):
        pictures.save(pictures.times(table), tmp_path / "none" / "times.svg")
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(UsageError, match="^picture: needs matplotlib of the extra `pictures`, which is not installed; run `"):
        pictures.times(table)
