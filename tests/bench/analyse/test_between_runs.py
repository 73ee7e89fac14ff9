"""If these fail, an interval between two runs is narrower or wider than what runs differ by."""

import math

import numpy as np
import pandas as pd
import pytest

from bench.analyse.between_runs import (
    FLOOR,
    KAPPA,
    LEAST,
    PRIOR_FREEDOM,
    SETS,
    Spread,
    difference,
    differences,
    expected,
    guards_moved,
    learn,
    prepared,
)
from tests.support import run_rows


def _runs(times, prefix="r", other_set=(), **changes):
    """The rows of the case `base` in runs that took these relative times; those in `other_set` also measured `more`."""
    random = np.random.default_rng(0)
    tables = []
    for number, time in enumerate(times):
        one = run_rows(f"{prefix}{number}", random, {"base": math.exp(time)}, spread=0)
        if number in other_set:
            one = pd.concat([one, one.iloc[:1].assign(backend=f"more {number}")], ignore_index=True)
        tables.append(one.assign(**changes))
    return pd.concat(tables, ignore_index=True)


def _base(*tables):
    """The case `base` in each of the tables."""
    rows = prepared(pd.concat([table.assign(part=number) for number, table in enumerate(tables)]))
    return [rows[(rows["backend"] == "base") & (rows["part"] == number)] for number in range(len(tables))]


def test_undisturbed_times_are_compared_and_the_others_only_without_them():
    table = _runs([0]).assign(seconds_per_step=1.0)
    (singly,), (queued,) = _base(table), _base(table.assign(undisturbed_seconds_per_step=np.nan))
    assert (singly["log"].iloc[0], singly["singly"].iloc[0]) == (pytest.approx(math.log(1e-4)), True)
    assert (queued["log"].iloc[0], queued["singly"].iloc[0]) == (0, False)


def test_rows_that_are_not_ok_have_no_time_and_unavailable_ones_are_in_no_set():
    table = _runs([0, 0], other_set=[1])
    table.loc[table["backend"].isin(["base", "more 1"]), "status"] = "unavailable"
    rows = prepared(table)
    assert rows.loc[rows["backend"] == "base", "log"].isna().all()
    assert rows["set"].nunique() == 1


def _learned(times, like=None, by_set=False, **changes):
    history, like = _base(_runs(times, **changes), _runs([0]) if like is None else like)
    return learn(history, like, by_set)


@pytest.mark.parametrize(
    ("changes", "freedom"),
    [
        ({}, 2), ({"machine": "n"}, 0), ({"source_hash": "y"}, 0), ({"versions": "numpy==3"}, 0), ({"python": "3.13.1"}, 0),
        ({"kernels": "SSE2"}, 0), ({"steps_per_round": 10.0}, 0),
        ({"undisturbed_seconds_per_step": np.nan}, 0),
        ({"processes": 5, "rounds": 25}, 2), ({"processes": 21}, 0), ({"rounds": 101}, 0),
    ],
)  # fmt: skip
def test_three_runs_that_were_measured_alike_and_no_longer_are_learned_from(changes, freedom):
    assert _learned([0.01, 0.02, 0.03], **changes) == Spread(pytest.approx(0.0001 * freedom), freedom)


def test_neither_two_runs_nor_an_unknown_source_are_learned_from():
    assert _learned([0.01, 0.03]) == Spread()
    assert _learned([0.01, 0.02, 0.03], like=_runs([0]).assign(source_hash=""), source_hash="") == Spread()


def test_history_of_base_and_of_head_counts_each_around_its_own_mean():
    """The new source of head is ten times slower; that is no spread."""
    old, new = _runs([0.01, 0.02, 0.03], "a"), _runs([2.1, 2.2, 2.3], "b", source_hash="y")
    like = pd.concat([_runs([0], "c"), _runs([0], "d", source_hash="y")])
    history, like = _base(pd.concat([old, new]), like)
    assert learn(history, like, by_set=False) == Spread(pytest.approx(0.0202), 4)


def test_runs_of_different_sets_are_spread_around_the_mean_of_their_set():
    times = [0.01, 0.02, 0.03, 1.01, 1.02, 1.03]
    history, like = _base(pd.concat([_runs(times[:3]), _more(times[3:])]), _runs([0], "z"))
    assert learn(history, like, by_set=False) == Spread(pytest.approx(0.0004), 4)
    assert learn(history, like, by_set=True) == Spread(), "two sets are fewer than three"


def _more(times):
    rows = _runs(times, "more")
    return pd.concat([rows, rows[rows["backend"] == "base"].assign(backend="another")], ignore_index=True)


@pytest.mark.parametrize("by_set", [True, False])
def test_three_sets_show_what_sets_change(by_set):
    """Also where base and head measured one set that is stored too rarely."""
    history, like = _base(_runs([0.0, 0.01, 0.02], other_set=[1, 2]), _runs([0], "z"))
    assert learn(history, like, by_set) == Spread(pytest.approx(0.0002), 2)


def _difference(base, head, history=Spread(), others=Spread(), by_set=False):  # noqa: B008
    return difference(_base(base, head), history, others, by_set)


def test_by_hand_from_history():
    """Ten degrees of freedom of this case, six of the variance that the others have."""
    estimate, provisional = _difference(_runs([0]), _runs([0.04]), Spread(10 * 0.01**2, 10), Spread(40 * 0.02**2, 40))
    assert (estimate.mean, estimate.freedom, provisional) == (pytest.approx(0.04), 10 + PRIOR_FREEDOM, False)
    assert estimate.error == pytest.approx(math.sqrt(2 * (10 * 0.01**2 + 6 * 0.02**2) / 16))


def test_other_machines_stand_in_for_what_the_other_cases_do_not_show():
    estimate, _ = _difference(_runs([0]), _runs([0]), Spread(2 * 0.01**2, 2), Spread(2 * 0.02**2, 2))
    assert estimate.freedom == 2 + PRIOR_FREEDOM
    squares = 2 * 0.01**2 + 2 * 0.02**2 + (PRIOR_FREEDOM - 2) * expected(0.001**2)
    assert estimate.error == pytest.approx(math.sqrt(2 * squares / (2 + PRIOR_FREEDOM)))


def test_by_hand_from_several_runs_a_side():
    """Squares 0.0002 and 0.0008 and the prior; means 0.02 and 0.05."""
    estimate, provisional = _difference(_runs([0.01, 0.03]), _runs([0.03, 0.05, 0.07]))
    assert (estimate.mean, estimate.freedom, provisional) == (pytest.approx(0.03), 3 + PRIOR_FREEDOM, False)
    variance = (0.0010 + PRIOR_FREEDOM * expected(0.001**2)) / (3 + PRIOR_FREEDOM)
    assert estimate.error == pytest.approx(math.sqrt(variance * (1 / 2 + 1 / 3)))


@pytest.mark.parametrize(("runs", "provisional"), [((1, 1), True), ((1, 2), True), ((2, 2), False), ((1, 3), False)])
def test_fewer_than_three_runs_of_one_code_are_provisional(runs, provisional):
    base, head = (_runs([0.0] * number) for number in runs)
    assert LEAST == 3
    assert _difference(base, head)[1] == provisional


@pytest.mark.parametrize(("runs", "by_set"), [(1, False), (2, True)])
def test_without_history_the_prior_of_other_machines(runs, by_set):
    """Different sets are known less well, and more runs do not help."""
    base, head = _runs([0] * runs).assign(relative_error=0.003), _runs([0.05] * runs).assign(relative_error=0.004)
    estimate, provisional = _difference(base, head, by_set=by_set)
    assert (estimate.freedom, provisional) == (PRIOR_FREEDOM, True)
    within = (0.003**2 + 0.004**2) / 2
    assert estimate.error == pytest.approx(math.sqrt(2 * (KAPPA**2 * within + FLOOR**2 + by_set * SETS**2)))


def test_processes_that_spread_more_than_runs_decide():
    """A noisy hour: the runs at hand show it, history does not."""
    base, head = _runs([0]).assign(relative_error=0.03), _runs([0]).assign(relative_error=0.04)
    estimate, _ = _difference(base, head, Spread(0.0, 20), Spread(0.0, 20))
    assert estimate.error == pytest.approx(math.sqrt((0.03**2 + 0.04**2) / 2 * 2))


@pytest.mark.parametrize("error", [math.inf, math.nan])
def test_a_run_that_does_not_know_its_own_spread_leaves_it_to_the_others(error):
    base, head = _runs([0]).assign(relative_error=error), _runs([0]).assign(relative_error=0.04)
    assert _difference(base, head, Spread(0.0, 20), Spread(0.0, 20))[0].error == pytest.approx(0.04 * math.sqrt(2))
    both, _ = _difference(base, base, Spread(20 * 0.01**2, 20), Spread(6 * 0.01**2, 6))
    assert both.error == pytest.approx(0.01 * math.sqrt(2))
    assert math.isinf(_difference(base, base)[0].error)


def test_times_of_queued_steps_have_no_prior():
    base, head = (_runs([0]).assign(undisturbed_seconds_per_step=np.nan) for _ in "ab")
    assert _difference(base, head)[0].error == math.inf
    assert math.isfinite(_difference(base, head, Spread(20 * 0.01**2, 20), Spread(6 * 0.01**2, 6))[0].error)


def test_what_differs_besides_the_steps_is_named():
    base, head = _runs([0]), _runs([0, 0]).assign(source_hash="y", kernels=["", "A=1"] * 6)
    base, head = base.assign(versions="numpy==2 torch==1", commit="0123456789"), head.assign(versions="numpy==3", commit="")
    assert differences(base, base) == []
    assert differences(base, head) == [
        "another source of the step", "numpy 2 → 3", "torch 1 → none", "environment unknown → A=1, unknown",
        "commit 01234567 → unknown",
    ]  # fmt: skip


def _moved(**changes):
    """Guards of two runs, of which those in the second took 1.3 times as long and have these changes."""
    random = np.random.default_rng(0)
    head = run_rows("b", random, dict.fromkeys(("arithmetic", "peak_arithmetic", "peak_traffic"), 1.3), spread=0)
    return _guards(run_rows("a", random, spread=0), head.assign(**changes))


def _guards(base, head):
    moved = guards_moved(prepared(pd.concat([base.assign(part="base"), head.assign(part="head")])))
    return {key[0]: change for key, change in moved.items()}


def test_guards_are_controls_that_compute():
    assert _moved() == pytest.approx(dict.fromkeys(("arithmetic", "peak_arithmetic"), math.log(1.3)))


@pytest.mark.parametrize(
    "other",
    [
        {"source_hash": "y"}, {"versions": "numpy==3"}, {"kernels": "SSE2"}, {"status": "failed"}, {"device": "cuda"},
        {"threads": 2}, {"undisturbed_seconds_per_step": np.nan},
    ],
)  # fmt: skip
def test_a_guard_that_did_other_work_does_not_guard(other):
    assert _moved(**other) == {}


def test_a_guard_of_unknown_source_does_not_guard():
    assert _guards(_runs([0], source_hash=""), _runs([0], "b", source_hash="")) == {}
