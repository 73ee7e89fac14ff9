"""If these fail, verdicts are counted wrongly, or a pair is judged with runs that came later."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bench.errors import ExitCode
from lab import judge
from lab.judge import compare, main, of_pairs, of_sides, of_tables, share_of, spreads
from lab.runs import TARGET, Run, disjoint, earlier, load, multiplied, replaced, unslowed
from lab.tests import made
from lab.tests.made import SEED, SLOWED

FOUND = "+{:.0%} found, times multiplied".format


def times_of(table):
    return table.set_index("backend")["undisturbed_seconds_per_step"]


def test_no_run_is_in_two_pairs():
    assert disjoint("abcdefg") == [("a", "b"), ("c", "d"), ("e", "f")]
    assert disjoint("a") == []


def test_history_ended_before_both_runs_began():
    runs = made.runs(7)
    assert earlier((runs[5], runs[3]), runs) == runs[:3]
    assert earlier((runs[0], runs[1]), runs) == []


def test_later_runs_change_no_outcome():
    """The later runs could be of another machine altogether."""
    runs, wild = made.runs(8), made.runs(4, seed=9, first=8, between=0.3)
    pair = [(runs[6], runs[7])]
    assert of_pairs(pair, runs) == of_pairs(pair, runs + wild)
    before = made.runs(6, seed=9, between=0.3)
    assert of_pairs(pair, runs) != of_pairs(pair, before + runs[6:])


def test_unchanged_code_is_equal_and_slowed_code_is_found():
    runs = made.runs(14)
    answers = of_pairs(disjoint(runs), runs, least=10)
    assert answers["UNPROVEN"] == [False, False], "only the last two pairs have ten earlier runs"
    assert answers["false alarm"] == [False, False]
    assert sum(answers["row EQUAL"]) >= 5
    assert len(answers["row EQUAL"]) == len(answers["95 % interval holds the truth"]) == 6
    assert answers[FOUND(0.05)] == [True] * 6
    assert answers[FOUND(0.02)] == [True] * 6
    assert answers["slowed_5 found"] == [True, True]
    assert len(answers[FOUND(0.01)]) == 6


def test_without_history_every_pair_counts_and_finds_less():
    runs = made.runs(6)
    answers = of_pairs(disjoint(runs), None)
    assert len(answers["UNPROVEN"]) == 3
    assert sum(answers[FOUND(0.01)]) == 0
    assert of_pairs(disjoint(runs), runs, power=False)["UNPROVEN"] == [False], "3 and 4 have two"


def test_unchanged_code_that_got_slower_is_a_false_alarm():
    runs = made.runs(11)
    (slow,) = made.runs(1, seed=5, first=11, torch_autograd=1.1)
    answers = of_pairs([(runs[10], slow)], runs)
    assert answers["false alarm"] == [True]
    assert answers["95 % interval holds the truth"] == [True, True, False]


def test_an_unproven_pair_is_counted_and_raises_no_alarm():
    """The machine's clock changed between the two runs, so each step takes longer."""
    runs = made.runs(11)
    (slow,) = made.runs(1, first=11, **dict.fromkeys([*SEED, "arithmetic"], 1.3))
    assert of_pairs([(runs[10], slow)], runs) == {"UNPROVEN": [True]}


def test_times_of_one_step_are_multiplied_exactly():
    (run,) = made.runs(1)
    ratios = times_of(multiplied(run, TARGET, 0.02)) / times_of(unslowed(run))
    assert ratios.pop(TARGET) == pytest.approx(1.02, rel=1e-12)
    assert list(ratios) == [1.0] * (len(made.KINDS) - len(SLOWED) - 1)


def test_a_slowed_step_replaces_its_original():
    (run,) = made.runs(1)
    ratios = times_of(replaced(run, "slowed_5")) / times_of(unslowed(run))
    assert ratios.pop(TARGET) == pytest.approx(1.05, rel=1e-9)
    assert set(ratios) == {1.0}
    assert not set(SLOWED) & set(compare(run, replaced(run, "slowed_5"), []).table["backend"])


def two_sides(verdict, low, high, exit_code=0, status="ok"):
    """A run of `--against`, whose later side has one row."""
    first = {"side": "then", "kind": "seed", "status": "ok", "verdict": ""}
    first |= dict.fromkeys(["ratio", "ratio_low", "ratio_high"], 1.0)
    later = {"side": "now", "verdict": verdict, "ratio_low": low, "ratio_high": high}
    rows = [first, first | later | {"status": status}, first | {"kind": "twin"}]
    return Run("calm", exit_code, pd.DataFrame(rows))


def test_between_two_equal_sides_each_difference_is_a_false_alarm():
    runs = [
        two_sides("EQUAL", 0.99, 1.005),
        two_sides("SLOWER", 1.01, 1.02),
        two_sides("UNDECIDED", 1.0, 1.03, status="wrong"),
        two_sides("FASTER", 0.9, 0.95, exit_code=ExitCode.UNPROVEN),
    ]
    assert of_sides(runs) == {
        "UNPROVEN": [False, False, False, True],
        "false alarm": [False, True, False],
        "row EQUAL": [True, False],
        "95 % interval holds the truth": [True, False],
    }


def test_a_rejected_step_and_a_different_control_are_counted():
    runs = made.runs(3)
    for run, kind, column, value in (
        (runs[0], "seed", "status", "wrong"),
        (runs[1], "twin", "verdict", "SLOWER"),
        (runs[2], "yardstick", "status", "failed"),
    ):
        run.table.loc[run.table["kind"] == kind, column] = value
    answers = of_tables([*runs[:2], replace(runs[2], exit_code=ExitCode.UNPROVEN)])
    assert answers["correct step rejected"] == [True, False, False]
    assert answers["A/A control called different"] == [False, True, False]
    assert answers["UNPROVEN"] == [False, False, True]


@pytest.mark.parametrize(("between", "low", "high"), [(0.0007, 0.88, 1), (0.01, 0, 0.3)])
def test_intervals_that_miss_differences_between_runs_hold_less_often(between, low, high):
    """Half an interval is 0.002; log ratios differ by √2 · `between`."""
    answers = of_tables(made.runs(40, between=between))
    inside = answers["95 % interval holds the mean of the other runs"]
    assert len(inside) == 40 * (len(SEED) - 1 + len(SLOWED) + 1)
    assert low <= np.mean(inside) <= high


def test_no_run_is_checked_against_itself():
    """With itself included the mean would lie within the last run's interval."""
    row = {"backend": "a", "kind": "seed", "status": "ok", "verdict": ""}
    runs = [
        Run(
            "calm",
            0,
            pd.DataFrame([row | {"ratio": r, "ratio_low": r / 2.2, "ratio_high": r * 2.2}]),
        )
        for r in (1.0, 1.0, 1.0, 1.0, np.e)
    ]
    question = "95 % interval holds the mean of the other runs"
    assert of_tables(runs)[question] == [True] * 4 + [False]
    assert of_tables(runs[:4])[question] == [], "four runs are too few"


def test_spread_and_slowdown_are_those_of_the_undisturbed_times():
    runs = made.runs(30, between=0.002)
    logs = np.log([times_of(run.table)["torch_autograd"] for run in runs])
    found = spreads(runs)
    assert found["spread of torch_autograd"] == f"{np.std(logs, ddof=1):.2%}"
    assert found["slowed_2 measured as"] == "+2.00%"


def test_shares_have_wilson_intervals():
    """(p + z²/2n ± z·sqrt(p(1−p)/n + z²/4n²)) / (1 + z²/n) for p = 0.1, n = 20: 2.8 to 30.1 %."""
    assert share_of([True, True] + [False] * 18) == "2 of 20 (3–30 %)"
    assert share_of([]) == "none"


def test_folders_are_read_calm_first_in_the_order_of_measurement(tmp_path):
    for number, run in enumerate(made.runs(2, first=5) + made.runs(1, first=1)):
        made.write(run, tmp_path / "calm" / "run" / f"{number:03}")
    made.write(made.runs(1, weather="burst")[0], tmp_path / "burst" / "run" / "000")
    (tmp_path / "burst" / "run" / "001").mkdir()
    found = load(tmp_path, "run")
    assert [*found] == ["calm", "burst"]
    assert [run.name[-3:] for run in found["calm"]] == ["01Z", "05Z", "06Z"]
    assert len(found["burst"]) == 1, "the second is not finished"


def test_a_folder_is_judged_from_files_to_tables(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(judge, "SHARES", (0.05,))
    for number, run in enumerate(made.runs(6)):
        made.write(run, tmp_path / "calm" / "run" / f"{number:03}")
    for number, run in enumerate(made.runs(2, seed=1, first=6, weather="burst")):
        made.write(run, tmp_path / "burst" / "run" / f"{number:03}")
    main([str(tmp_path), "--history", "4"])
    parts = capsys.readouterr().out.strip().split("\n\n")
    tables = {title: body for title, _, body in (part.partition("\n") for part in parts)}
    assert [*tables] == [
        "Two runs, history of the same weather",
        "Two runs, calm history",
        "Two runs, no history",
        "One run's own table",
        "Undisturbed times between runs",
    ], "no calm run is late enough to have four before it and a disturbed partner"
    assert "false alarm" in tables["Two runs, calm history"]
    rows = dict(line.split("  ", 1) for line in tables["Two runs, no history"].splitlines()[1:])
    assert rows["false alarm"].split("  ")[-2:] == ["0 of 3 (0–56 %)", "0 of 1 (0–79 %)"]


def test_an_empty_folder_is_one_sentence(tmp_path):
    with pytest.raises(SystemExit, match="holds no finished run; run `python -m lab.collect"):
        main([str(tmp_path)])
