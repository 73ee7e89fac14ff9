"""If these fail, an interval between two runs is narrower or wider than what runs differ by."""

import math

import numpy as np
import pandas as pd
import pytest

from bench.analyse.between_runs import FLOOR, KAPPA, KEY, PRIOR_FREEDOM, UNDISTURBED, Runs, difference, place_of
from tests.support import run_rows

CASE = ("base", "cpu", "float32", 1, 64, 1000, 100, 10, "", 1)


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
    "other",
    [
        {"machine": "n"}, {"kernels": "SSE2"}, {"allocator": "system"}, {"steps_per_round": 10.0}, {"processes": 5},
        {"rounds": 50},
    ],
)  # fmt: skip
def test_a_campaign_speaks_only_for_runs_like_its_own(other):
    calm = _runs([0.01, 0.02], prefix="c", **other)
    estimate, _, notes, _ = _difference(_runs([0], prefix="a"), _runs([0], prefix="b"), calm)
    assert math.isinf(estimate.error)
    assert notes[0].startswith("the campaign holds no two runs that were measured alike")


def _weathered(spreads, runs=6):
    """A campaign in whose runs everything drifts alike, and these cases by so much more."""
    random = np.random.default_rng(3)
    calm = _runs([0.0] * runs, prefix="c").table
    drift = dict(zip(calm["run"].unique(), random.normal(0, 0.2, runs), strict=True))
    calm["quiet_seconds_per_step"] *= np.exp(calm["run"].map(drift))
    apart = np.array([1, -1] * (runs // 2))
    for backend, spread in spreads.items():
        calm.loc[calm["backend"] == backend, "quiet_seconds_per_step"] *= np.exp(spread * apart)
    return calm


def _new(name, prefix):
    table = _runs([0], prefix=prefix).table
    return Runs(table.assign(backend=table["backend"].replace({"base": name})))


def _of_a_new_case(calm):
    key = ("new", *CASE[1:])
    sides = [_new("new", prefix) for prefix in "ab"]
    return difference(key, sides, [side.ok_rows(key) for side in sides], Runs(calm))


def test_a_case_that_the_campaign_lacks_is_given_the_spread_of_its_widest_row():
    """Weather cancels in it; the twin, which is a control, and rows elsewhere do not count, nor what was run once alone."""
    calm = _weathered({"base": 0.01, "slow": 0.03, "twin": 0.1})
    elsewhere = calm[calm["backend"] == "twin"].assign(backend="wild", kind="seed", dtype="float64")
    smaller = elsewhere.assign(dtype="float32", N=1)
    once = elsewhere.assign(dtype="float32").iloc[:1]
    failed = elsewhere.assign(dtype="float32", status="wrong")
    for order in ([calm], [calm, elsewhere, smaller, once], [elsewhere, smaller, once, calm], [failed, calm]):
        estimate, workloads, notes, _ = _of_a_new_case(pd.concat(order, ignore_index=True))
        assert estimate.error == pytest.approx(0.03 * math.sqrt(6 / 5) * math.sqrt(2))
        assert estimate.freedom == 5
        assert notes == ["the campaign does not hold this case, so its widest row at this device, dtype and shape stands in"]
        assert workloads == ["arithmetic", "dispatch", "traffic"]


def test_a_campaign_without_any_row_like_a_new_case_says_nothing():
    calm = _weathered({})
    estimate, _, notes, _ = _of_a_new_case(calm.assign(machine="another"))
    assert math.isinf(estimate.error)
    assert notes[0].startswith("the campaign holds no two runs that were measured alike")


def test_runs_alone_say_that_nothing_is_known_of_their_spread():
    estimate, workloads, notes, _ = _difference(_runs([0], prefix="a"), _runs([0.5], prefix="b"))
    assert set(workloads) == {"arithmetic", "dispatch", "traffic"}
    assert (estimate.mean, estimate.error, estimate.freedom) == (pytest.approx(0.5), math.inf, 1)
    assert notes[0].startswith("how much one run of this machine differs from the next is unknown")
    assert len(notes) == 1


def test_weather_cancels_between_sides_and_in_the_campaign():
    base, head = (_runs([0], prefix=prefix).table for prefix in "ab")
    head["quiet_seconds_per_step"] *= 1.3
    estimate, _, notes, _ = _difference(Runs(base), Runs(head), Runs(_weathered({"base": 0.01})))
    assert estimate.mean == pytest.approx(0, abs=1e-12)
    assert estimate.error == pytest.approx(0.01 * math.sqrt(6 / 5) * math.sqrt(2))
    assert notes == []


@pytest.mark.parametrize(
    ("column", "value", "shared"),
    [
        ("source_hash", "y", {"arithmetic", "traffic"}),
        ("versions", "numpy==3", {"arithmetic", "traffic"}),
        ("status", "wrong", {"arithmetic", "traffic"}),
        ("device", "cuda", {"arithmetic", "traffic"}),
        ("threads", 2, {"arithmetic", "traffic"}),
    ],
)
@pytest.mark.parametrize("side", [0, 1])
def test_a_yardstick_that_did_other_work_on_one_side_or_none_is_left_out(column, value, shared, side):
    tables = [_runs([0, 0], prefix=prefix).table for prefix in "ab"]
    tables[side].loc[tables[side]["backend"] == "dispatch", column] = value
    assert set(_difference(*map(Runs, tables)).workloads) == shared


def test_a_yardstick_that_misses_a_run_is_left_out():
    base = _runs([0, 0], prefix="a").table
    base = base[(base["backend"] != "dispatch") | (base["run"] != "a1")]
    assert set(_difference(Runs(base), _runs([0, 0], prefix="b")).workloads) == {"arithmetic", "traffic"}


@pytest.mark.parametrize("side", [0, 1])
def test_a_run_without_yardsticks_leaves_raw_times_on_both_sides(side):
    tables = [_runs([0, 0], prefix=prefix).table for prefix in "ab"]
    bare = (tables[side]["run"] == f"{'ab'[side]}1") & (tables[side]["kind"] == "yardstick")
    tables[side] = tables[side][~bare]
    assert _difference(*map(Runs, tables)).workloads == []


def test_a_yardstick_whose_source_nobody_knows_is_left_out():
    unknown = [_runs([0, 0], prefix=prefix, source_hash="", versions="") for prefix in "ab"]
    found = _difference(*unknown)
    assert found.workloads == []
    assert found.notes == ["no yardstick is known to have done the same work on both sides, so the raw times stand alone"]
    assert found.estimate.mean == 0


def test_a_yardstick_that_changed_since_the_campaign_is_left_out_unless_all_have():
    sides = [_runs([0], prefix=prefix) for prefix in "ab"]
    calm = _runs([0.01, 0.02, 0.03], prefix="c").table
    calm.loc[calm["backend"] == "dispatch", "source_hash"] = "y"
    assert set(_difference(*sides, Runs(calm)).workloads) == {"arithmetic", "traffic"}
    everything = _difference(*sides, Runs(calm.assign(source_hash="y")))
    assert set(everything.workloads) == {"arithmetic", "dispatch", "traffic"}


def test_two_runs_of_a_campaign_are_enough():
    estimate, _, notes, _ = _difference(_runs([0], prefix="a"), _runs([0], prefix="b"), _runs([0.01, 0.03], prefix="c"))
    assert estimate.error == pytest.approx(0.01 * math.sqrt(2) * math.sqrt(2))
    assert (estimate.freedom, notes) == (1, [])


def test_a_campaign_without_yardsticks_says_nothing_of_relative_times():
    calm = _runs([0.01, 0.02, 0.03], prefix="c").table
    calm = Runs(calm[calm["kind"] != "yardstick"])
    assert math.isinf(_difference(_runs([0], prefix="a"), _runs([0], prefix="b"), calm).estimate.error)


def test_a_run_of_the_campaign_that_misses_a_yardstick_is_left_out():
    calm = _weathered({"base": 0.01, "slow": 0.01})
    calm = calm[(calm["backend"] != "dispatch") | (calm["run"] != "c0")]
    known = _difference(_runs([0], prefix="a"), _runs([0], prefix="b"), Runs(calm)).estimate
    new = _of_a_new_case(calm).estimate
    assert known.freedom == new.freedom == 4
    assert math.isfinite(known.error)
    assert math.isfinite(new.error)


def test_a_run_of_the_campaign_that_misses_what_is_not_compared_with_is_kept():
    calm = _weathered({"base": 0.01})
    calm = calm[(calm["backend"] != "dispatch") | (calm["run"] != "c0")]
    head = _runs([0], prefix="b").table
    head.loc[head["backend"] == "dispatch", "source_hash"] = "y"
    found = _difference(_runs([0], prefix="a"), Runs(head), Runs(calm))
    assert set(found.workloads) == {"arithmetic", "traffic"}
    assert found.estimate.freedom == 5


@pytest.mark.parametrize(("steps", "known"), [(20.0, True), (10.0, False)])
def test_a_campaign_has_to_be_like_the_base(steps, known):
    base, head = (_runs([0], prefix=prefix).table for prefix in "ab")
    calm = Runs(_weathered({"base": 0.01}).assign(steps_per_round=steps))
    sides = [Runs(base), Runs(head.assign(steps_per_round=10.0))]
    assert math.isfinite(_difference(*sides, calm).estimate.error) == known
    key = ("new", *CASE[1:])
    new = [Runs(side.table.replace({"backend": {"base": "new"}})) for side in sides]
    assert math.isfinite(difference(key, new, [side.ok_rows(key) for side in new], calm).estimate.error) == known


def test_a_place_is_a_device_with_its_threads():
    assert place_of(CASE) == ("cpu", 1)
    assert place_of(("base", "cuda", "float32", 4, 64, 1000, 100, 10, "new")) == ("cuda", 4)


def test_runs_are_told_in_their_order_and_by_their_case():
    runs = _runs([0.0, 0.1], prefix="r")
    assert runs.runs == ["r0", "r1"]
    assert [*runs.ok_rows(CASE).index] == ["r0", "r1"]
    assert runs.ok_rows(("absent", *CASE[1:])).empty
    assert [*runs.ok_rows(("absent", *CASE[1:])).columns] == [*runs.ok_rows(CASE).columns]
    wrong = runs.table.copy()
    wrong.loc[wrong["run"] == "r0", "status"] = "wrong"
    assert [*Runs(wrong).ok_rows(CASE).index] == ["r1"]
    assert runs.complete(("cuda", 1), runs.ok_rows(CASE).index) == set()


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
    assert estimate.freedom == 6
    within = (0.003**2 + 0.004**2) / 2
    assert estimate.error == pytest.approx(math.sqrt(2 * (1.5**2 * within + 0.003**2)))


def test_as_many_runs_as_others_are_counted_for_weigh_as_much_as_they_do():
    campaign = _singly([0.0] * (PRIOR_FREEDOM + 1), 0.004, "c")
    found = _difference(_singly([0.0], 0.004, "a"), _singly([0.02], 0.004, "b"), campaign)
    assert found.estimate.freedom == 2 * PRIOR_FREEDOM
    assert math.isfinite(found.estimate.error)


def test_runs_of_the_machine_outweigh_what_others_were_like():
    """Twenty of them spread by 0.02, which the prior would never have said."""
    calm = [0.02 * (-1) ** number for number in range(20)]
    estimate, _, _, provisional = _difference(_singly([0], 0.001, "a"), _singly([0], 0.001, "b"), _singly(calm, 0.001, "c"))
    assert not provisional
    assert estimate.freedom == PRIOR_FREEDOM + 19
    prior = PRIOR_FREEDOM * (KAPPA**2 * 0.001**2 + FLOOR**2)
    assert estimate.error == pytest.approx(math.sqrt(2 * (prior + 20 * 0.02**2) / (PRIOR_FREEDOM + 19)))
