"""If these fail, a bar in the terminal has another length than its time, or does not fit."""

import io
import math

import numpy as np
import pandas as pd
import pytest

from bench.analyse import summaries
from bench.record import frame
from bench.show import bars, grid
from tests.support import story

NAMES = {"base": 1.0, "slow": 1.5}


@pytest.fixture
def told():
    """A story whose later half is slower by 10 %."""
    return story(lambda name, number, block: 3e-4 * NAMES.get(name, 1) * (1.1 if number >= 10 else 1))


def _shown(table, rounds, width):
    out = io.StringIO()
    bars.show(table, rounds, grid.console(out, width))
    return out.getvalue().splitlines()


def _row(seconds, low=math.nan, high=math.nan, bound=math.nan):
    keys = ("seconds_per_step", "seconds_per_step_low", "seconds_per_step_high", "bound_seconds_per_step")
    return dict(zip(keys, (seconds, low, high, bound), strict=True))


def _bar(row, scale, baseline=math.nan):
    return "".join(scale.bar(row, baseline)).rstrip()


def test_a_bar_is_as_long_as_its_time_to_an_eighth():
    scale = bars.Scale.of([_row(1e-3)], 10)
    assert _bar(_row(1e-3), scale) == "█" * 10
    assert _bar(_row(0.5e-3), scale) == "█████"
    assert _bar(_row(0.5125e-3), scale) == "█████▏"
    assert _bar(_row(0.5875e-3), scale) == "█████▉"


def test_the_interval_is_drawn_to_scale_and_a_narrow_one_not_at_all():
    scale = bars.Scale(0.0, 1e-3, 10, log=False)
    assert _bar(_row(0.6e-3, 0.4e-3, 0.8e-3), scale) == "████▓▓░░"
    assert _bar(_row(0.6e-3, 0.598e-3, 0.602e-3), scale) == "██████"
    assert _bar(_row(0.6e-3, 0.4e-3, 2e-3), scale) == "████▓▓░░░→"


def test_bound_and_baseline_are_marked_where_they_are():
    scale = bars.Scale(0.0, 1e-3, 10, log=False)
    assert _bar(_row(0.6e-3, bound=0.25e-3), scale, baseline=0.85e-3) == "██┃███  ┊"
    assert _bar(_row(0.65e-3), scale, baseline=0.65e-3) == "██████▌", "the end of a bar matters more than a mark"


def test_times_that_are_far_apart_get_a_log_scale_and_it_says_so():
    rows = [_row(2e-6), _row(100e-6)]
    scale = bars.Scale.of(rows, 20)
    assert str(scale) == "log scale, 1.00 µs to 100 µs"
    assert len(_bar(rows[1], scale)) == 20
    assert scale.at(10e-6) == pytest.approx(10)
    assert str(bars.Scale.of([_row(4e-6), _row(100e-6)], 20)) == "0 to 100 µs"


@pytest.mark.parametrize("width", [60, 80, 140])
def test_it_fits(told, width):
    lines = _shown(summaries.summarise(told), frame.samples(told), width)
    assert max(map(len, lines)) <= max(width, 76)
    (base, slow) = lines[1:3]
    assert base.startswith("base ")
    assert "315 µs" in base
    assert "472 µs" in slow
    assert "twin" not in "".join(lines)
    assert "baseline base" in "".join(lines)
    long, short = (sum(line.partition("µs")[0].count(cell) for cell in "█▓┊") for line in (slow, base))
    assert long == pytest.approx(1.5 * short, abs=2.5)


def test_drift_shows_in_the_sparkline(told):
    lines = _shown(summaries.summarise(told), frame.samples(told), 100)
    assert lines[1].endswith("▁" * 10 + "█" * 10)
    assert lines[-1].endswith("▁ is 0.95, █ 1.05 of the row's middle")


def test_many_processes_share_the_characters_and_a_missing_one_leaves_a_gap():
    (spark,), _ = bars.sparklines([pd.Series(np.r_[np.zeros(50), np.ones(50)])])
    assert spark == "▁" * 10 + "█" * 10
    (spark,), _ = bars.sparklines([pd.Series([0.0, math.nan, 1.0])])
    assert spark == "▁ █"
    assert bars.sparklines([pd.Series([0.5]), pd.Series([0.7])]) == (["", ""], "")


def test_each_shape_has_a_scale_of_its_own(told):
    small, rounds = summaries.summarise(told), frame.samples(told)
    large = small.assign(N=128, seconds_per_step=100 * small["seconds_per_step"], seconds_per_step_high=math.nan)
    more = rounds.assign(case=rounds["case"].str.replace("64x", "128x"), N=128)
    table, rounds = pd.concat([small, large], ignore_index=True), pd.concat([rounds, more], ignore_index=True)
    headings = [line for line in _shown(table, rounds, 100) if line.startswith("shape")]
    assert headings[0].startswith("shape 64x1000x100x10 · 0 to 4")
    assert headings[1] == "shape 128x1000x100x10 · 0 to 47.2 ms"
