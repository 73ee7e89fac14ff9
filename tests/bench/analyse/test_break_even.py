"""If these fail, a run promises that a slow start pays off when it does not."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from bench.analyse import break_even


def _after(later, gained, high=0.9):
    """The columns of a faster row: how much later each process was ready, and what it gained a
    step of 0.5 s."""
    table = pd.DataFrame(
        {"baseline": ["base", "base", None, "base"], "ratio_high": [1.0, high, np.nan, 0.5]},
        index=["base", "fast", "fixed work", "never opened"],
    )
    starts = [("base", 0.5)] * len(later) + [("fast", 0.5 + late) for late in later]
    opens = [
        {"case": case, "pass": number % len(later), "first_step_seconds": seconds}
        for number, (case, seconds) in enumerate(starts)
    ]
    times = {"base": np.full(len(gained), 0.5), "fast": 0.5 - np.array(gained)}
    index = pd.MultiIndex.from_product([range(len(gained)), [0]], names=["pass", "block"])
    found = break_even.add(table, opens, np.log(pd.DataFrame(times, index)))[break_even.NAMES]
    assert found.drop("fast").isna().all(axis=None)
    return found.loc["fast"].tolist()


@pytest.mark.parametrize(
    ("later", "steps"), [(1.75, 8.0), (0.0, 1.0), (-0.375, 1.0), (0.125, 2.0)]
)
def test_arithmetic_by_hand(later, steps):
    """1.75 s more at the start and 0.25 s less a step are even after seven further steps."""
    assert _after([later] * 7, [0.25] * 7) == [steps] * 3


@pytest.mark.parametrize(("processes", "high"), [(7, 1.0), (7, np.nan), (6, 0.9)])
def test_no_number_without_a_gain_that_was_shown_or_below_seven_processes(processes, high):
    assert np.isnan(_after([2.0] * processes, [0.25] * processes, high)).all()


def test_where_the_gain_may_be_none_it_may_never_pay():
    gained = [0.25] * 6 + [-0.5]
    middle, low, high = _after([2.0] * 7, gained)
    assert middle == 1 + math.ceil(2.0 / np.mean(gained))
    assert low < middle < high == math.inf


@pytest.mark.parametrize("n", [7, 12, 20, 41])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.975])
def test_order_statistics_hold_the_median_as_often_as_coins_say(n, confidence):
    """Of n values as many lie below the median as of n coins show heads."""
    low, high = break_even.median_interval(np.arange(n, dtype=float), confidence)
    out = int(low)
    assert high == n - 1 - out
    assert 2 * binom.cdf(out, n, 0.5) <= 1 - confidence < 2 * binom.cdf(out + 1, n, 0.5)


def _starts(random, n):
    """In some processes a library is cached already, in a few something takes seconds."""
    later = np.where(random.random(n) < 0.4, 160e-3, 220e-3) * np.exp(random.normal(0, 0.05, n))
    return np.where(random.random(n) < 0.05, 3.0, later)


@pytest.mark.parametrize("n", [8, 20])
@pytest.mark.parametrize("gain", [9e-6, 60e-6])
def test_95_of_100_intervals_hold_the_truth_of_starts_with_a_tail(n, gain):
    median = float(np.median(_starts(np.random.default_rng(1), 10**6)))
    random = np.random.default_rng(0)
    held = 0
    for _ in range(1000):
        _, low, high = break_even.after(_starts(random, n), random.normal(gain, 2e-6, n))
        held += low <= 1 + math.ceil(median / gain) <= high
    assert held >= 950
