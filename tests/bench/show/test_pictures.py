"""If these fail, a picture shows another time than the table, or changes with its reader."""

import math
import sys

import pandas as pd
import pytest

from bench.analyse import summaries
from bench.errors import UsageError
from bench.show import pictures
from tests.made import key_of, story

matplotlib = pytest.importorskip("matplotlib")
TIME = "seconds_per_step"


@pytest.fixture
def table():
    run = story(lambda name, p, b: (3e-4 + 1e-6 * p) * (1.5 if name == "slow" else 1), blocks=1)
    return summaries.summarise(run).assign(bound_seconds_per_step=1e-4, bound_by="peak")


def test_dots_intervals_and_marks_stand_at_the_times_of_the_table(table):
    (axes,) = pictures.times(table).axes
    base, slow = (table.loc[key_of(name)] for name in ("base", "slow"))
    (bar,) = axes.containers
    assert bar.get_label() == "time, 95 % interval"
    assert [*bar.lines[0].get_xdata()] == [base[TIME], slow[TIME]]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["base", "slow"]
    assert axes.yaxis_inverted()
    assert {"µs" in text.get_text() for text in axes.texts} == {True}
    _, ends = (segment[:, 0] for segment in bar.lines[2][0].get_segments())
    assert [*ends] == pytest.approx([slow[f"{TIME}_low"], slow[f"{TIME}_high"]])
    drawn = [line for line in axes.lines if len(line.get_xdata())]
    strokes = [[*line.get_xdata()] for line in drawn if line.get_markersize() == 9]
    dotted = [{*line.get_xdata()} for line in drawn if line.get_linestyle() == ":"]
    assert (strokes, dotted) == ([[1e-4, 1e-4]], [{base[TIME]}])


def test_what_varies_has_a_colour_each(table):
    more = table.assign(threads=2, **{TIME: 0.6 * table[TIME]})
    bars = pictures.times(pd.concat([table, more], ignore_index=True)).axes[0].containers
    assert [bar.get_label() for bar in bars] == ["threads 1", "threads 2"]
    assert [bar.lines[0].get_color() for bar in bars] == [*pictures.COLOURS[:2]]


def test_the_axis_suits_the_times(table):
    assert pictures.times(table).axes[0].get_xscale() == "linear"
    table.loc[key_of("slow"), f"{TIME}_high"] = 1.0
    assert pictures.times(table).axes[0].get_xlim()[1] < 2 * table[TIME].max()
    table.loc[key_of("slow"), TIME] *= 100
    assert pictures.times(table).axes[0].get_xscale() == "log"


def test_the_same_run_is_the_same_file_whatever_its_reader_prefers(table):
    plain = pictures.svg(pictures.times(table))
    assert b"dc:date" not in plain
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "black"}):
        assert pictures.svg(pictures.times(table)) == plain
    assert pictures.times(table).get_facecolor() == (1, 1, 1, 1)


def test_what_cannot_be_drawn_is_one_sentence(table, tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="no step of this run has a time"):
        pictures.times(table.assign(**{TIME: math.nan}))
    for name, says in (
        ("times", "the suffix says the format; end the name in one of .*svg"),
        ("none/times.svg", "cannot be written: No such file or directory"),
    ):
        with pytest.raises(UsageError, match=says):
            pictures.save(pictures.times(table), tmp_path / name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match="^picture: needs matplotlib of the extra `pictures`"):
        pictures.times(table)
