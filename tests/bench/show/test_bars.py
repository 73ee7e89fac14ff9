"""If these fail, a bar in the terminal has another length than its time, or does not fit."""

import io
import math

import numpy as np
import pandas as pd
import pytest

from bench.analyse import summaries
from bench.record import frame
from bench.show import bars, grid
from tests.made import a_case, story

SLOWER = {"slow": 1.5}


@pytest.fixture
def run():
    """Its later half is slower by 10 %."""
    return story(lambda name, p, b: 3e-4 * SLOWER.get(name, 1) * (1.1 if p >= 10 else 1))


def _shown(run, width):
    out = io.StringIO()
    bars.show(summaries.summarise(run), frame.samples(run), grid.console(out, width))
    return out.getvalue().splitlines()


def _row(seconds, low=math.nan, high=math.nan, bound=math.nan):
    keys = [f"seconds_per_step{end}" for end in ("", "_low", "_high")]
    return dict(zip([*keys, "bound_seconds_per_step"], (seconds, low, high, bound), strict=True))


@pytest.mark.parametrize(
    ("row", "baseline", "bar"),
    [
        (_row(1e-3), math.nan, "█" * 10),
        (_row(0.5e-3), math.nan, "█████"),
        (_row(0.5125e-3), math.nan, "█████▏"),
        (_row(0.5875e-3), math.nan, "█████▉"),
        (_row(0.6e-3, 0.4e-3, 0.8e-3), math.nan, "████▓▓░░"),
        (_row(0.6e-3, 0.598e-3, 0.602e-3), math.nan, "██████"),
        (_row(0.6e-3, 0.4e-3, 2e-3), math.nan, "████▓▓░░░→"),
        (_row(0.6e-3, bound=0.25e-3), 0.85e-3, "██┃███  ┊"),
        (_row(0.65e-3), 0.65e-3, "██████▌"),
    ],
)
def test_a_bar_is_as_long_as_its_time_with_interval_and_marks_to_scale(row, baseline, bar):
    scale = bars.Scale(0.0, 1e-3, 10, log=False)
    assert "".join(scale.bar(row, baseline)).rstrip() == bar


def test_times_that_are_far_apart_get_a_log_scale_and_it_says_so():
    rows = [_row(2e-6), _row(100e-6)]
    scale = bars.Scale.of(rows, 20)
    assert str(scale) == "log scale, 1.00 µs to 100 µs"
    assert scale.bar(rows[1], math.nan) == ["█"] * 20
    assert scale.at(10e-6) == pytest.approx(10)
    assert str(bars.Scale.of([_row(4e-6), _row(100e-6)], 20)) == "0 to 100 µs"


@pytest.mark.parametrize("width", [60, 80, 140])
def test_it_fits(run, width):
    lines = _shown(run, width)
    assert max(map(len, lines)) <= max(width, 76)
    base, slow = lines[1:3]
    assert (base.split()[0], slow.split()[0]) == ("base", "slow")
    assert "315 µs" in base
    assert "472 µs" in slow
    assert "twin" not in "".join(lines)
    assert "baseline base" in "".join(lines)
    long, short = (sum(line.partition("µs")[0].count(c) for c in "█▓┊┃") for line in (slow, base))
    assert long == pytest.approx(1.5 * short, abs=2.5)


def test_drift_shows_in_the_sparkline(run):
    lines = _shown(run, 100)
    assert lines[1].endswith("▁" * 10 + "█" * 10)
    assert lines[-1].endswith("▁ is 0.95, █ 1.05 of the row's middle")


def test_many_processes_share_the_characters_and_a_missing_one_leaves_a_gap():
    (spark,), _ = bars.sparklines([pd.Series(np.r_[np.zeros(50), np.ones(50)])])
    assert spark == "▁" * 10 + "█" * 10
    (spark,), _ = bars.sparklines([pd.Series([0.0, math.nan, 1.0])])
    assert spark == "▁ █"
    assert bars.sparklines([pd.Series([0.5]), pd.Series([0.7])]) == (["", ""], "")


def test_each_shape_has_a_scale_of_its_own():
    cases = [a_case(name, shape=f"{N}x1x1x1") for N in (1, 9) for name in ("base", "slow")]
    run = story(lambda *_: 1e-3, 2, cases=cases, work=lambda case: 1e-3 * int(case["shape"][0]))
    headings = [line for line in _shown(run, 100) if line.startswith("shape")]
    assert headings == ["shape 1x1x1x1 · 0 to 1.00 µs", "shape 9x1x1x1 · 0 to 9.00 µs"]
