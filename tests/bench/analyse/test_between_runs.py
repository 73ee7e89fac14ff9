"""If these fail, an interval between two runs is narrower or wider than what runs differ by."""

import math

import numpy as np
import pandas as pd
import pytest

from bench.analyse.between_runs import FLOOR, KAPPA, KEY, PRIOR_FREEDOM, UNDISTURBED, Runs, difference
from tests.support import run_rows

CASE = ("base", "cpu", "float32", 1, 64, 1000, 100, 10, "")


def _runs(times, error=0.0, prefix="r", **changes):
    """Runs whose case `base` took these relative times, and whose yardsticks all took the same."""
    random = np.random.default_rng(0)
    rows = []
    for number, time in enumerate(times):
        one = run_rows(f"{prefix}{number}", random, weather=0, spread=0).assign(relative_error=error, **changes)
        one.loc[one["backend"] == "base", "quiet_seconds_per_step"] *= math.exp(time)
        rows.append(one)
    return Runs(pd.concat(rows, ignore_index=True))


def _difference(base, head, campaign=None):
    sides = [base, head]
    return difference(CASE, sides, [side.ok_rows(CASE) for side in sides], campaign)


def test_the_key_names_a_case():
    assert dict(zip(KEY, CASE, strict=True))["backend"] == "base"


def test_by_hand_from_several_runs_a_side():
    """Means 0.02 and 0.05; squares around them 0.0002 and 0.0008 over 1 + 2 degrees of freedom."""
    estimate, _, notes, _ = _difference(_runs([0.01, 0.03], prefix="a"), _runs([0.03, 0.05, 0.07], prefix="b"))
    assert estimate.mean == pytest.approx(0.03)
    assert estimate.freedom == 3
    assert estimate.error == pytest.approx(math.sqrt((0.0002 + 0.0008) / 3 * (1 / 2 + 1 / 3)))
    assert notes == []


def test_by_hand_from_a_campaign():
    """One run a side adds nothing to the spread; eleven of the campaign have ten degrees of freedom."""
    calm = [0.01 * (-1) ** number for number in range(11)]
    estimate, *_ = _difference(_runs([0], prefix="a"), _runs([0.04], prefix="b"), _runs(calm, prefix="c"))
    assert estimate.mean == pytest.approx(0.04)
    assert estimate.freedom == 10
    assert estimate.error == pytest.approx(np.std(calm, ddof=1) * math.sqrt(2))


def test_processes_that_spread_more_than_runs_decide():
    """A noisy hour: the runs at hand know of it, the campaign does not."""
    calm = _runs([0.001, -0.001] * 5, prefix="c")
    estimate, *_ = _difference(_runs([0], 0.03, "a"), _runs([0], 0.04, "b"), calm)
    assert estimate.error == pytest.approx(math.sqrt((0.03**2 + 0.04**2) / 2 * 2))


@pytest.mark.parametrize("error", [math.inf, math.nan])
def test_a_run_that_does_not_know_its_own_spread_leaves_it_to_the_others(error):
    estimate, *_ = _difference(_runs([0.01, 0.03], error, "a"), _runs([0.03, 0.05], error, "b"))
    assert estimate.error == pytest.approx(math.sqrt(0.0002))


@pytest.mark.parametrize(
    "other", [{"machine": "n"}, {"allocator": "system"}, {"steps_per_round": 10.0}, {"processes": 5}, {"rounds": 50}]
)
def test_a_campaign_speaks_only_for_runs_like_its_own(other):
    calm = _runs([0.01, 0.02], prefix="c", **other)
    estimate, _, notes, _ = _difference(_runs([0], prefix="a"), _runs([0], prefix="b"), calm)
    assert math.isinf(estimate.error)
    assert notes[0].startswith("the campaign holds no two runs that were measured alike")


def test_a_campaign_with_fewer_yardsticks_is_used_with_those():
    calm = _runs([0.01, 0.02, 0.03], prefix="c")
    calm = Runs(calm.table[calm.table["backend"] != "traffic"])
    estimate, workloads, *_ = _difference(_runs([0], prefix="a"), _runs([0], prefix="b"), calm)
    assert workloads == ["arithmetic", "dispatch"]
    assert math.isfinite(estimate.error)


def _singly(times, error, prefix):
    runs = _runs(times, error, prefix).table
    return Runs(runs.assign(**{UNDISTURBED: runs["quiet_seconds_per_step"]}), UNDISTURBED)


def test_of_a_machine_never_seen_a_run_is_trusted_as_others_were():
    """By hand: the prior's variance alone, with its degrees of freedom."""
    estimate, _, notes, provisional = _difference(_singly([0], 0.003, "a"), _singly([0.05], 0.004, "b"), None)
    assert provisional
    assert notes[0].startswith("provisional: how much runs of this machine differ is known from other machines only")
    assert estimate.mean == pytest.approx(0.05)
    assert estimate.freedom == PRIOR_FREEDOM
    within = (0.003**2 + 0.004**2) / 2
    assert estimate.error == pytest.approx(math.sqrt(2 * (KAPPA**2 * within + FLOOR**2)))


def test_runs_of_the_machine_outweigh_what_others_were_like():
    """Twenty of them spread by 0.02, which the prior would never have said."""
    calm = [0.02 * (-1) ** number for number in range(20)]
    estimate, _, _, provisional = _difference(_singly([0], 0.001, "a"), _singly([0], 0.001, "b"), _singly(calm, 0.001, "c"))
    assert not provisional
    assert estimate.freedom == PRIOR_FREEDOM + 19
    prior = PRIOR_FREEDOM * (KAPPA**2 * 0.001**2 + FLOOR**2)
    assert estimate.error == pytest.approx(math.sqrt(2 * (prior + 20 * 0.02**2) / (PRIOR_FREEDOM + 19)))
