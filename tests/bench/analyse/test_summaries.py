"""If these fail, a row carries a number it has no right to, or a run hides its doubts."""

from dataclasses import replace

import numpy as np
import pytest

from bench.analyse import summaries
from tests.made import a_case, key_of, story


def _table(run):
    return summaries.summarise(run).set_index("backend")


def _without(run, drops):
    return replace(run, records=tuple(each for each in run.records if not drops(each)))


def test_drift_that_hits_both_sides_of_a_block_leaves_the_ratio_alone():
    drift = np.random.default_rng(0).lognormal(sigma=0.3, size=(20, 3))
    slow = {"slow": 1.5}
    row = _table(story(lambda name, p, b: drift[p, b] * slow.get(name, 1))).loc["slow"]
    assert [row["ratio_low"], row["ratio_high"]] == pytest.approx([1.5, 1.5])
    assert row["seconds_per_step_high"] > 1.05 * row["seconds_per_step"]


def test_missing_passes_are_incomplete_and_said():
    run = story(lambda *_: 0.001, passes=7, end=False)
    table = summaries.summarise(run)
    assert set(table["status"]) == {"incomplete"}
    assert table["reason"].iloc[0] == "7 of 20 passes were finished"
    assert summaries.doubts(run, table)[0].startswith("INCOMPLETE: the run ended in pass 7 of 20; missing in part: base, slow")


@pytest.mark.parametrize(("passes", "status"), [(4, "ok"), (3, "incomplete")])
def test_a_peak_is_planned_for_fewer_passes(passes, status):
    """Of ten: the first, the fourth, the seventh and the tenth."""
    cases = [a_case("base"), a_case("peak_arithmetic")]
    run = story(lambda *_: 0.001, 10, cases=cases, settings={"processes": 10})
    kept = (0, 3, 6, 9)[:passes]
    peak = cases[1]["key"]
    run = _without(run, lambda each: each.get("case") == peak and each["pass"] not in kept)
    table = _table(run)
    assert table.loc[["peak_arithmetic", "base"], "status"].tolist() == [status, "ok"]
    if status == "incomplete":
        assert table.loc["peak_arithmetic", "reason"] == "3 of 4 passes were finished"


def test_the_twins_are_a_table_of_their_own_also_where_it_is_the_only_one():
    """What would decide the twins does not depend on the other rows."""
    factors = {"base": 1.0, "slow": 1.02, "twin": 1.03}

    def seconds(name, number, _):
        return 0.001 * factors[name] * (1 + (name != "base") * 0.1 * (number % 2 - 0.5))

    both = _table(story(seconds, 4))
    alone = _table(story(seconds, 4, cases=[a_case("base"), a_case("twin")]))
    assert [*both.loc[["slow", "twin"], "verdict"]] == ["UNDECIDED"] * 2
    assert both.loc["slow", "processes_to_decide"] > 4
    passes = both.loc["twin", "processes_to_decide"]
    assert alone.loc["twin", "processes_to_decide"] == passes > 4
    assert np.isnan(both.loc["base", "processes_to_decide"])


@pytest.mark.parametrize(("factor", "unproven"), [(1.05, True), (1.005, False)])
def test_a_twin_that_differs_makes_the_run_unproven(factor, unproven):
    by = {"twin": factor}
    run = story(lambda name, p, b: 0.001 * by.get(name, 1) * (1 + 0.001 * p))
    doubts = summaries.doubts(run, summaries.summarise(run))
    starts = ["UNPROVEN: the twin, the same code as bas"] * unproven
    assert [doubt[:40] for doubt in doubts] == starts


@pytest.mark.parametrize(("later", "steps"), [(1.75, 8), (1.8, 9), (0.125, 2), (0.0, 1), (-0.4, 1)])
@pytest.mark.parametrize(("singly", "time"), [(True, "undisturbed_seconds_per_step"), (False, "seconds_per_step")])
def test_a_faster_way_pays_after_so_many_steps(later, steps, singly, time):
    """1.75 s more at the start and 0.25 s less a step are even after seven further steps."""
    cases = [a_case(name) for name in ("base", "slow", "equal", "quick")]
    took = {"base": 0.5, "slow": 0.625, "equal": 0.499, "quick": 0.25}
    run = story(lambda name, *_: took[name], 5, cases=cases, singly=singly, settings={"processes": 5})
    starts = {key_of(name): 1.0 for name in took} | {key_of("quick"): 1 + later}
    records = [
        each | {"first_step_seconds": starts[each["case"]]} if each["record"] == "open" else each for each in run.records
    ]
    table = _table(replace(run, records=tuple(records)))
    assert table.loc["quick", ["verdict", time]].tolist() == ["FASTER", pytest.approx(0.25)]
    assert table["break_even_steps"].dropna().to_dict() == {"quick": steps}
