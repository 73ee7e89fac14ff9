"""If these fail, an interval does not hold what it says or a row carries a number it has no right to."""

from dataclasses import replace

import numpy as np
import pytest

from bench.analyse import estimates, summaries
from bench.analyse.verdicts import Estimate
from bench.schema.summary import SUMMARY
from tests.support import key_of, story


def test_exact_times_give_exact_rows():
    table = summaries.summarise(story(lambda key, *_: 0.002 if key == "slow" else 0.001)).set_index("backend")
    slow = table.loc["slow"]
    assert slow["seconds_per_step"] == pytest.approx(0.002)
    assert slow["ratio"] == pytest.approx(2)
    assert slow["ratio_low"] == pytest.approx(2)
    assert slow["latency_seconds_per_step"] == pytest.approx(0.004)
    assert slow["flop_per_second"] == pytest.approx(1000 / 0.002)
    assert slow["minor_faults_per_step"] == 0.5
    assert slow["first_step_seconds"] == 0.5
    assert slow["error_w1"] == 1e-6
    assert (slow["status"], slow["processes"], slow["rounds"]) == ("ok", 20, 60)
    assert list(table.reset_index().columns)[:16] == SUMMARY[:16]


def test_hardware_events_of_a_made_journal_have_columns_and_are_empty_elsewhere():
    whole = story(lambda *_: 0.001)
    counted = [
        r | {"outside": {"audit_steps": 20}, "counts": {"instructions": [5_010, 10_010], "unheard_of": [1, 2]}}
        if r["record"] == "visit" and r["case"] == key_of("slow")
        else r
        for r in whole.records
    ]
    table = summaries.summarise(replace(whole, records=tuple(counted))).set_index("backend")
    assert table.loc["slow", "instructions_per_step"] == 500
    assert table["cycles_per_step"].isna().all()
    assert np.isnan(table.loc["base", "instructions_per_step"])


def test_a_row_tells_the_variables_of_its_side_over_those_of_the_run():
    whole = story(lambda *_: 0.001)
    base, slow, twin = whole.header["cases"]
    cases = [base | {"side": "then"}, slow | {"side": "now"}, twin | {"side": "then"}]
    sides = {"then": {"variables": {"A": "1", "C": "3"}}, "now": {"commit": None}}
    machine = whole.header["machine"] | {"kernel_choices": {"A": "0"}, "sides": sides}
    told = {"base": "A=1 C=3", "slow": "A=0", "twin": "A=1 C=3"}
    for header, kernels in (({"cases": cases, "machine": machine}, told), ({}, dict.fromkeys(told, ""))):
        table = summaries.summarise(replace(whole, header=whole.header | header))
        assert table.set_index("backend")["kernels"].to_dict() == kernels


def test_drift_that_hits_both_sides_of_a_block_leaves_the_ratio_alone():
    random = np.random.default_rng(0)
    drift = random.lognormal(sigma=0.3, size=(20, 3))
    table = summaries.summarise(story(lambda key, p, b: drift[p, b] * (1.5 if key == "slow" else 1))).set_index("backend")
    assert table.loc["slow", "ratio_low"] == pytest.approx(1.5)
    assert table.loc["slow", "ratio_high"] == pytest.approx(1.5)
    assert table.loc["slow", "seconds_per_step_high"] > 1.05 * table.loc["slow", "seconds_per_step"]


def test_the_interval_covers_the_truth_as_often_as_it_says():
    random = np.random.default_rng(1)
    hits = 0
    for _ in range(2000):
        columns = estimates.with_interval("x", Estimate.of(random.normal(0.1, 0.05, 20)))
        hits += columns["x_low"] <= np.exp(0.1) <= columns["x_high"]
    assert 0.935 <= hits / 2000 <= 0.965


def test_the_interval_of_two_values_by_hand():
    """Student's t with one degree of freedom: 12.7062 times a standard error of 0.5."""
    value, low, high = estimates.with_interval("x", Estimate.of([0.0, 1.0])).values()
    assert value == pytest.approx(np.exp(0.5))
    assert np.log([low, high]) == pytest.approx([0.5 - 6.3531, 0.5 + 6.3531], abs=1e-4)


def test_a_ratio_pairs_visits_of_one_block_only():
    whole = story(lambda key, p, b: 0.001 * (1, 2, 100)[b] * (1.5 if key == "slow" else 1))
    missing = [r for r in whole.records if not (r["record"] == "visit" and r["case"] == key_of("slow") and r["block"] == 2)]
    table = summaries.summarise(replace(whole, records=tuple(missing))).set_index("backend")
    assert table.loc["slow", "ratio"] == pytest.approx(1.5)


def test_missing_passes_are_incomplete_and_said():
    cut = story(lambda *_: 0.001, passes=7, end=False)
    table = summaries.summarise(cut)
    assert set(table["status"]) == {"incomplete"}
    assert table["reason"].iloc[0] == "7 of 20 passes were finished"
    assert summaries.doubts(cut, table)[0].startswith("INCOMPLETE: the run ended in pass 7 of 20; missing in part: base, slow")


@pytest.mark.parametrize(("passes", "status"), [(4, "ok"), (3, "incomplete")])
def test_what_is_only_reckoned_with_is_planned_for_fewer_passes(passes, status):
    """Of ten: the first, the fourth, the seventh and the tenth."""
    whole = story(lambda *_: 0.001, passes=10)
    cases = [case | {"kind": "ceiling", "proven": False} if case["name"] == "slow" else case for case in whole.header["cases"]]
    header = whole.header | {"cases": cases, "settings": whole.header["settings"] | {"processes": 10}}
    kept = [r for r in whole.records if r.get("case") != key_of("slow") or r["pass"] in (0, 3, 6, 9)[:passes]]
    table = summaries.summarise(replace(whole, header=header, records=tuple(kept))).set_index("backend")
    assert (table.loc["slow", "status"], table.loc["base", "status"]) == (status, "ok")
    assert status == "ok" or table.loc["slow", "reason"] == "3 of 4 passes were finished"


def test_a_failed_case_keeps_no_number():
    failure = {"record": "failure", "pass": 3, "case": "slow", "status": "failed", "reason": "slow died."}
    table = summaries.summarise(story(lambda *_: 0.001, extra=(failure,))).set_index("backend")
    assert (table.loc["slow", "status"], table.loc["slow", "reason"]) == ("failed", "slow died.")
    assert np.isnan(table.loc["slow", "seconds_per_step"])
    assert table.loc["base", "status"] == "ok"


def test_the_twins_are_a_table_of_their_own_also_where_it_is_the_only_one():
    """As in a run of one step: how many processes would decide them does not depend on the other rows."""
    factors = {"base": 1.0, "slow": 1.02, "twin": 1.03}
    whole = story(lambda key, number, _: 0.001 * factors[key] * (1 + (key != "base") * 0.1 * (number % 2 - 0.5)), passes=4)
    header = whole.header | {"cases": [case for case in whole.header["cases"] if case["name"] != "slow"]}
    records = tuple(record for record in whole.records if record.get("case") != key_of("slow"))
    both, alone = (
        summaries.summarise(each).set_index("backend") for each in (whole, replace(whole, header=header, records=records))
    )
    assert list(both.loc[["slow", "twin"], "verdict"]) == ["UNDECIDED"] * 2
    assert both.loc["slow", "processes_to_decide"] > 4
    assert alone.loc["twin", "processes_to_decide"] == both.loc["twin", "processes_to_decide"] > 4
    assert np.isnan(both.loc["base", "processes_to_decide"])


def test_a_twin_that_differs_makes_the_run_unproven():
    apart = story(lambda key, p, b: 0.001 * (1.05 if key == "twin" else 1) * (1 + 0.001 * p))
    assert summaries.doubts(apart, summaries.summarise(apart))[0].startswith("UNPROVEN: the twin, the same code as base")
    alike = story(lambda key, p, b: 0.001 * (1.005 if key == "twin" else 1))
    assert summaries.doubts(alike, summaries.summarise(alike)) == []


def test_a_step_that_was_opened_again_in_a_pass_is_read_as_opened_first():
    """As where another one of its process failed: the pass has it twice."""
    whole = story(lambda name, *_: 5e-5 if name == "slow" else 1e-4)
    again = [record | {"first_step_seconds": 9.0} for record in whole.records if record["record"] == "open"]
    once, twice = (summaries.summarise(each) for each in (whole, replace(whole, records=(*whole.records, *again))))
    assert twice["break_even_steps"].tolist() == pytest.approx(once["break_even_steps"].tolist(), nan_ok=True)
