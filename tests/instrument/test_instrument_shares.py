"""If these fail, how often the instrument was wrong is counted wrongly, or a run vouches for itself."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.special import stdtrit
from shares import FEWEST, counted, covered, far_off, means_of_others, pairs

PROCESSES, ROWS = 20, 5


def _runs(random, runs, between=0.0, shrunk=1.0):
    """Ratios of runs whose processes differ by 1 %, and their intervals; `between` is what processes cannot know."""
    logs = random.normal(0, 0.01, (runs, ROWS, PROCESSES)) + random.normal(0, between, (runs, ROWS, 1))
    mean, error = logs.mean(axis=2), logs.std(axis=2, ddof=1) / math.sqrt(PROCESSES)
    half = shrunk * error * stdtrit(PROCESSES - 1, 0.975)
    frames = [pd.DataFrame(values, columns=list("abcde")) for values in (mean, mean - half, mean + half)]
    return (*frames, frames[0] * 0 + PROCESSES - 1)


def test_no_run_is_in_two_pairs():
    assert pairs("abcdefg") == [("a", "b"), ("c", "d"), ("e", "f")]
    assert pairs("a") == []


def test_shares_have_the_intervals_of_wilson():
    """As he gives them: (p + z²/2n ± z·sqrt(p(1−p)/n + z²/4n²)) / (1 + z²/n)."""
    z, n, p = 1.959963984540054, 20, 0.1
    centre, half = p + z**2 / (2 * n), z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    found = counted("why", [True, True] + [False] * 18)
    assert (found["count"], found["of"], found["share"]) == (2, 20, 0.1)
    assert found["low"] == pytest.approx((centre - half) / (1 + z**2 / n))
    assert found["high"] == pytest.approx((centre + half) / (1 + z**2 / n))


def test_nothing_asked_is_no_share():
    assert math.isnan(counted("why", [])["share"])
    assert counted("why", [])["of"] == 0


def test_the_mean_of_the_others_leaves_the_run_out():
    values = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0, 10.0], "b": [1.0, np.nan, 1.0, 1.0, 1.0]})
    assert list(means_of_others(values)["a"]) == pytest.approx([19 / 4, 18 / 4, 17 / 4, 16 / 4, 10 / 4])
    assert means_of_others(values)["b"].isna().all(), f"fewer than {FEWEST} have a value"


def test_a_run_does_not_vouch_for_itself():
    """Its interval holds the mean of all five runs, itself included, and not that of the four others."""
    values = pd.DataFrame({"a": [0.0, 0.0, 0.0, 0.0, 1.0]})
    low, high = values - 0.9, values + 0.9
    assert low["a"][4] < values["a"].mean()
    assert covered(values, low, high) == {"a": [True, True, True, True, False]}


@pytest.mark.parametrize(("shrunk", "share"), [(1, 0.95), (0.5, 0.69)])
def test_coverage_is_what_the_intervals_were_made_for(shrunk, share):
    """An interval of half the width, with 19 degrees of freedom, holds the truth 69 times in 100."""
    values, low, high, _ = _runs(np.random.default_rng(0), 400, shrunk=shrunk)
    inside = [each for answers in covered(values, low, high).values() for each in answers]
    assert len(inside) == 400 * ROWS
    assert np.mean(inside) == pytest.approx(share, abs=0.03)


def test_one_table_in_a_hundred_is_far_off_if_intervals_tell_all():
    calm = far_off(*_runs(np.random.default_rng(1), 2000))
    assert len(calm) == 2000
    assert 0.004 <= np.mean(calm) <= 0.018
    drifting = far_off(*_runs(np.random.default_rng(1), 2000, between=0.01))
    assert np.mean(drifting) > 0.5


def test_a_row_without_a_ratio_is_passed_over():
    values, low, high, freedom = _runs(np.random.default_rng(2), 20)
    for frame in (values, low, high):
        frame["a"] = np.nan
        frame.loc[3] = np.nan
    assert len(far_off(values, low, high, freedom)) == 19
    assert {name: len(answers) for name, answers in covered(values, low, high).items()} == {"a": 0} | dict.fromkeys("bcde", 19)
