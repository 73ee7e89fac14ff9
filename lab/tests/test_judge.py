"""If these fail, verdicts are counted wrongly, or a pair is judged with runs that came later."""

import re

import numpy as np
import pandas as pd
import pytest

from bench.errors import ExitCode
from lab import judge
from lab.judge import main, of_pairs, of_sides, of_tables, share_of, spreads
from lab.runs import TARGET, Run, disjoint, earlier, load, multiplied, replaced, unslowed
from lab.tests import made
from lab.tests.made import SEED, SLOWED

FOUND = "+{:.0%} found, times multiplied".format
HOLDS, HOLDS_MEAN = (f"95 % interval holds the {of}" for of in ("truth", "mean of the other runs"))


def times_of(table):
    return table.set_index("backend")["undisturbed_seconds_per_step"]


def test_pairs_share_no_run_and_their_history_is_earlier():
    runs = made.runs(7)
    assert disjoint(runs) == [(runs[0], runs[1]), (runs[2], runs[3]), (runs[4], runs[5])]
    assert earlier((runs[5], runs[3]), runs) == runs[:3]
    assert earlier((runs[0], runs[1]), runs) == []


def test_later_runs_change_no_outcome():
    runs, wild = made.runs(8), made.runs(4, first=8, between=0.3)
    pair = [(runs[6], runs[7])]
    assert of_pairs(pair, runs) == of_pairs(pair, runs + wild)
    assert of_pairs(pair, runs) != of_pairs(pair, made.runs(6, between=0.3))


def test_unchanged_code_is_equal_and_slowed_code_is_found():
    runs = made.runs(14)
    answers = of_pairs(disjoint(runs), runs, least=10)
    assert answers["UNPROVEN"] == [False, False], "only the last two pairs have ten earlier runs"
    assert answers["false alarm"] == [False, False]
    assert sum(answers["row EQUAL"]) >= 5
    assert len(answers["row EQUAL"]) == len(answers[HOLDS]) == len(answers[FOUND(0.01)]) == 6
    assert answers[FOUND(0.02)] == answers[FOUND(0.05)] == [True] * 6
    assert answers["slowed_5 found"] == [True, True]
    without = of_pairs(disjoint(runs[:4]), None)
    assert (len(without["UNPROVEN"]), sum(without[FOUND(0.01)])) == (2, 0)


def test_unchanged_code_that_got_slower_is_a_false_alarm():
    runs = made.runs(11)
    (slow,) = made.runs(1, seed=5, first=11, torch_autograd=1.1)
    answers = of_pairs([(runs[10], slow)], runs, power=False)
    assert answers["false alarm"] == [True]
    assert answers[HOLDS] == [True, True, False]


def test_an_unproven_pair_is_counted_and_raises_no_alarm():
    """The machine's clock changed between the two runs, so each step takes longer."""
    runs = made.runs(11)
    (slow,) = made.runs(1, first=11, **dict.fromkeys([*SEED, "arithmetic"], 1.3))
    assert of_pairs([(runs[10], slow)], runs) == {"UNPROVEN": [True]}


@pytest.mark.parametrize("change", [(multiplied, TARGET, 0.05), (replaced, "slowed_5")])
def test_one_step_is_slowed_by_its_share(change):
    (run,) = made.runs(1)
    slow, *how = change
    ratios = times_of(slow(run, *how)) / times_of(unslowed(run))
    assert ratios.pop(TARGET) == pytest.approx(1.05, rel=1e-9)
    assert dict(ratios) == dict.fromkeys(made.KINDS.keys() - SLOWED.keys() - {TARGET}, 1.0)


def test_between_two_equal_sides_each_difference_is_a_false_alarm():
    rows = [("EQUAL", 0.99, 1.005), ("SLOWER", 1.01, 1.02), ("UNDECIDED", 1.0, 1.03)]
    first = {"side": "then", "kind": "seed", "status": "ok", "ratio": 1.0}
    names = ("verdict", "ratio_low", "ratio_high")
    later = [first | {"side": "now"} | dict(zip(names, row, strict=True)) for row in rows]
    later[2]["status"] = "wrong"
    tables = [pd.DataFrame([first, row, first | {"kind": "twin"}]) for row in later]
    runs = [Run("calm", 0, table) for table in tables]
    assert of_sides([*runs, Run("calm", ExitCode.UNPROVEN, tables[1])]) == {
        "UNPROVEN": [False, False, False, True],
        "false alarm": [False, True, False],
        "row EQUAL": [True, False],
        HOLDS: [True, False],
    }


def test_a_rejected_step_and_a_different_control_are_counted():
    runs = [*made.runs(2), *made.runs(1, first=2, exit_code=ExitCode.UNPROVEN)]
    runs[0].table.loc[runs[0].table["kind"] == "seed", "status"] = "wrong"
    runs[1].table.loc[runs[1].table["kind"] == "twin", "verdict"] = "SLOWER"
    answers = of_tables(runs)
    assert answers["correct step rejected"] == [True, False, False]
    assert answers["A/A control called different"] == [False, True, False]
    assert answers["UNPROVEN"] == [False, False, True]


def test_no_interval_is_checked_against_its_own_run():
    """With itself included the mean would lie within the last run's interval."""
    row = {"backend": "a", "kind": "seed", "status": "ok", "verdict": ""}
    ratios = [{"ratio": r, "ratio_low": r / 2.4, "ratio_high": r * 2.4} for r in (1, 1, 1, 1, np.e)]
    runs = [Run("calm", 0, pd.DataFrame([row | ratio])) for ratio in ratios]
    assert of_tables(runs)[HOLDS_MEAN] == [True] * 4 + [False]
    assert of_tables(runs[:4])[HOLDS_MEAN] == [], "four runs are too few"


def test_spread_and_slowdown_are_those_of_the_undisturbed_times():
    runs = made.runs(30, between=0.002)
    logs = np.log([times_of(run.table)["torch_autograd"] for run in runs])
    found = spreads(runs)
    assert found["spread of torch_autograd"] == f"{np.std(logs, ddof=1):.2%}"
    assert found["slowed_2 measured as"] == "+2.00%"


def test_shares_have_wilson_intervals():
    """(p + z²/2n ± z·sqrt(p(1−p)/n + z²/4n²)) / (1 + z²/n), p = 0.1, n = 20."""
    assert share_of([True, True] + [False] * 18) == "2 of 20 (3–30 %)"
    assert share_of([]) == "none"


def test_a_folder_is_judged_from_files_to_tables(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(judge, "SHARES", (0.05,))
    with pytest.raises(SystemExit, match="holds no finished run; run `python -m lab.collect"):
        main([str(tmp_path)])
    for number, run in enumerate([*made.runs(6)[::-1], *made.runs(2, 1, 6, weather="burst")]):
        made.write(run, tmp_path / run.weather / "run" / f"{number:03}")
    (tmp_path / "burst" / "run" / "interrupted").mkdir()
    assert [run.name[-2:] for run in load(tmp_path, "run")["calm"]] == [f"{n}Z" for n in range(6)]
    main([str(tmp_path), "--history", "4"])
    parts = [part.splitlines() for part in capsys.readouterr().out.strip().split("\n\n")]
    tables = {title: lines for title, *lines in parts}
    assert [*tables] == [
        "Two runs, history of the same weather",
        "Two runs, calm history",
        "Two runs, no history",
        "One run's own table",
        "Undisturbed times between runs",
    ], "of a calm and a disturbed run none has four calm ones before"
    (alarms,) = (line for line in tables["Two runs, no history"] if line.startswith("false alarm"))
    assert re.findall(r"\d of \d", alarms) == ["0 of 3", "0 of 1"]
