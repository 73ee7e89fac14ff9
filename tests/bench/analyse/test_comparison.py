"""If these fail, two runs are compared that cannot be, or a verdict is given that was not earned."""

import json
from functools import partial

import numpy as np
import pandas as pd
import pytest

import bench
from bench import __main__
from bench.analyse.comparison import judge, of_files
from bench.analyse.verdicts import EQUAL, FASTER, SLOWER, UNDECIDED
from tests.support import run_rows


@pytest.fixture
def rows():
    return _runs_from(0)


def _runs_from(seed, **always):
    random = np.random.default_rng(seed)
    return lambda name, slower=None, **how: run_rows(name, random, slower, **(always | how))


def _history(rows, runs=12):
    return pd.concat([rows(f"stored {number}") for number in range(runs)], ignore_index=True)


def _verdicts(found):
    return dict(zip(found.table["backend"], found.table["verdict"], strict=True))


@pytest.mark.parametrize(("base", "head", "verdict"), [(1, 1.03, SLOWER), (1.03, 1, FASTER)])
def test_a_difference_is_found_and_the_other_row_is_not_accused(rows, base, head, verdict):
    found = judge(rows("a", {"slow": base}, spread=0), rows("b", {"slow": head}, spread=0), _history(rows))
    assert _verdicts(found) == {"base": EQUAL, "slow": verdict}
    assert found.doubts == []
    assert found.table["ratio"].tolist() == pytest.approx([1, head / base])
    wide = judge(rows("a", {"slow": base}, spread=0), rows("b", {"slow": head}, spread=0), _history(rows), margin=0.05)
    assert (wide.margin, _verdicts(wide)["slow"]) == (0.05, EQUAL)


def test_without_undisturbed_times_those_of_queued_steps_are_compared(rows):
    def queued(name, slower=None):
        table = rows(name, slower)
        return table.assign(seconds_per_step=table["undisturbed_seconds_per_step"], undisturbed_seconds_per_step=np.nan)

    found = judge(queued("a"), queued("b", {"slow": 1.05}), _history(queued))
    assert _verdicts(found) == {"base": EQUAL, "slow": SLOWER}
    alone = judge(queued("a"), queued("b", {"slow": 2}))
    assert set(_verdicts(alone).values()) == {UNDECIDED}
    assert "how much runs of this machine differ is unknown" in alone.table["reason"][0]
    assert (alone.table["ratio_low"].isna().all(), len(alone.unjudged)) == (True, 2)


@pytest.mark.parametrize(("stored", "provisional"), [(2, True), (3, False)])
def test_below_three_stored_runs_verdicts_are_provisional(rows, stored, provisional):
    found = judge(rows("a"), rows("b", {"slow": 1.1}), _history(rows, stored))
    assert _verdicts(found)["slow"] == SLOWER
    assert found.table["provisional"].tolist() == [provisional] * 2
    assert found.table["reason"].str.startswith("provisional: fewer than three").tolist() == [provisional] * 2


def test_several_runs_a_side_need_no_history(rows):
    base = pd.concat([rows(f"a{number}") for number in range(8)])
    head = pd.concat([rows(f"b{number}", {"slow": 1.03}) for number in range(8)])
    found = judge(base, head)
    assert _verdicts(found)["slow"] == SLOWER
    assert list(found.table["base_runs"]) == [8, 8]
    assert not found.table["provisional"].any()


@pytest.mark.parametrize("stored", [0, 3, 12])
def test_false_alarms_stay_below_one_table_in_a_hundred(stored):
    """Single runs of identical code whose times differ by 0.6 %."""
    rows, alarms = _runs_from(stored, spread=0.006), 0
    for _ in range(8):
        history = _history(rows, stored) if stored else None
        for _ in range(5):
            alarms += any(verdict in (FASTER, SLOWER) for verdict in _verdicts(judge(rows("a"), rows("b"), history)).values())
    assert alarms <= 2  # more than that has a chance below 1 % if one table in a hundred is wrong


@pytest.mark.parametrize("stored", [0, 12])
def test_runs_of_different_sets_do_not_alarm(stored):
    """Each run's set of cases moves its times by 1 %, those of a set alike."""
    random = np.random.default_rng(stored)
    alarms = 0
    for table in range(20):
        shift = random.normal(0, 0.01, stored + 2)
        runs = [
            _with(run_rows(f"{number}", random, {"base": np.exp(moved), "slow": np.exp(moved)}), f"more {number}")
            for number, moved in enumerate(shift)
        ]
        found = judge(runs[0], runs[1], pd.concat(runs[2:]) if stored else None)
        alarms += any(verdict in (FASTER, SLOWER) for verdict in _verdicts(found).values())
        assert found.table["provisional"][0] == (stored == 0), table
        assert "base and head measured different sets of cases" in found.table["reason"][0]
    assert alarms <= 1


def _with(rows, backend):
    """The rows of a run that measured one case more."""
    return pd.concat([rows, rows.iloc[:1].assign(backend=backend)], ignore_index=True)


def test_a_row_with_little_history_is_judged_by_what_all_rows_of_its_device_are_like(rows):
    """The three runs that `slow` has agree by chance; those of `base` differ by 2 %."""
    history = _history(rows, 3)
    history.loc[history["backend"] == "slow", "undisturbed_seconds_per_step"] = 1e-4
    history.loc[history["backend"] == "base", "undisturbed_seconds_per_step"] = [1e-4, 1.02e-4, 1.04e-4]
    widths = (judge(rows("a"), rows("b"), history).table[["ratio_low", "ratio_high"]]).diff(axis=1)["ratio_high"]
    assert widths[1] == pytest.approx(widths[0], rel=0.2)
    elsewhere = history.assign(device=history["backend"].map({"base": "cuda"}).fillna("cpu"))
    sides = [rows(name).assign(device=lambda t: t["backend"].map({"base": "cuda"}).fillna("cpu")) for name in "ab"]
    widths = (judge(*sides, elsewhere).table[["ratio_low", "ratio_high"]]).diff(axis=1)["ratio_high"]
    assert widths[1] < 0.3 * widths[0]


def test_neither_runs_that_are_judged_nor_what_failed_are_history(rows):
    """With themselves in it, a pair that lies far apart would widen what counts as ordinary."""
    a, b, stored = rows("a"), rows("b", {"slow": 2}), _history(rows)
    pd.testing.assert_frame_equal(*(judge(a, b, history).table for history in (stored, pd.concat([stored, a, b]))))
    few = _history(rows, 3)
    few.loc[few["run"] == "stored 0", "status"] = "wrong"
    assert judge(a, b, few).table["provisional"].all()


@pytest.mark.parametrize(
    ("base", "head", "why"),
    [
        ({}, {"machine": "another"}, "times of different machines are shown, not judged"),
        ({"machine": ""}, {"machine": ""}, "times of unknown machines are shown, not judged"),
        ({}, {"problem": "q 2"}, "times of different problems are shown, not judged: p 1 and q 2"),
        ({"undisturbed_seconds_per_step": np.nan}, {}, "only one side has undisturbed times of single steps"),
    ],
)
def test_what_cannot_be_judged_is_shown(rows, base, head, why):
    found = judge(rows("a").assign(**base), rows("b", {"slow": 1.5}).assign(**head), _history(rows))
    assert set(_verdicts(found).values()) == {UNDECIDED}
    assert found.table["reason"].str.endswith(why).all()
    assert found.table["ratio"].notna().all()
    assert (found.table[["ratio_low", "p"]].isna().all(axis=None), len(found.unjudged)) == (True, 2)


@pytest.mark.parametrize("guard", ["arithmetic", "peak_arithmetic"])
def test_a_guard_that_moved_by_more_than_the_margin_makes_the_comparison_unproven(rows, guard):
    base, history = rows("a", spread=0), _history(rows)
    for change in (1.012, 0.988):
        found = judge(base, rows("b", {guard: change, "slow": 1.5}, spread=0), history)
        assert {*found.table["verdict"]} == {"UNDECIDED"}
        (doubt,) = found.doubts
        assert doubt.startswith(f"UNPROVEN: the guard {guard}[cpu, threads 1], which is fixed work, takes {change:.3f} times")
    assert judge(base, rows("b", {guard: 1.009, "peak_traffic": 1.5}, spread=0), history).doubts == []
    assert judge(base, rows("b", {guard: 1.012}, spread=0), history, margin=0.02).doubts == []


def test_without_a_guard_a_sentence_says_so(rows):
    head = rows("b")
    found = judge(rows("a"), head[~head["backend"].isin(["arithmetic", "peak_arithmetic"])], _history(rows))
    assert found.doubts == []
    assert found.table["reason"].str.contains("no guard did the same work on both sides").all()


def test_a_twin_that_differs_makes_the_comparison_unproven(rows):
    head = rows("b")
    head.loc[head["kind"] == "twin", "verdict"] = SLOWER
    (doubt,) = judge(rows("a"), head, _history(rows)).doubts
    assert "in run b of head the twin differs" in doubt


def test_an_undecided_row_says_how_many_runs_would_decide(rows):
    """Runs spread by 1.5 %, so that one of each cannot show 4 %; three times as many can. Of other sets no number would."""
    wide = partial(rows, spread=0.015)
    base, head = rows("a", spread=0), rows("b", {"slow": 1.04}, spread=0)
    reason = judge(base, head, _history(wide)).table.set_index("backend").at["slow", "reason"]
    assert "more runs a side would decide" in reason
    other = judge(base, _with(head, "more"), _history(wide)).table.set_index("backend").at["slow", "reason"]
    assert "the interval neither" in other
    assert "more runs" not in other


@pytest.fixture
def files(tmp_path, rows, monkeypatch):
    monkeypatch.setenv("BENCH_RESULTS", str(tmp_path / "results"))
    for name, one in {"a": rows("a"), "b": rows("b"), "c": rows("c", {"slow": 1.05})}.items():
        one.to_csv(tmp_path / f"{name}.csv", index=False)
    for number in range(6):
        stored = tmp_path / "results" / "m" / f"stored {number}"
        stored.mkdir(parents=True)
        rows(stored.name).to_csv(stored / "summary.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _call(capsys, *arguments):
    code = __main__.main(["compare", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_command_and_its_exit_codes(files, capsys):
    assert _call(capsys, "a.csv", "b.csv", "--fail-on", "slower")[0] == 0
    code, out, err = _call(capsys, "a.csv", "c.csv", "--fail-on", "slower")
    assert code == 1
    assert "SLOWER" in out
    stopped = "slow-cpu-float32-1-64x1000x100x10 +"
    assert err.splitlines()[-1].startswith(f"FAILED --fail-on slower: {stopped}")
    assert _call(capsys, "a.csv", "c.csv", "--fail-on", "slower:20%")[0] == 0
    code, _, err = _call(capsys, "a.csv", "nowhere.csv")
    says = "cannot be read: No such file or directory; give a run's folder, or one of its files."
    assert (code, err) == (2, f"bench: nowhere.csv: {says}\n")
    code, _, err = _call(capsys, "a.csv,b.csv", "b.csv")
    assert (code, err[:36]) == (2, "bench: m/b: stands on both sides; a ")
    code, out, _ = _call(capsys, "a.csv", "nowhere.csv", "b.csv")
    assert code == 2
    assert "head b.csv" in out, "one bad head must not stop the next"


def test_a_gate_that_could_not_judge_or_prove_has_an_exit_code_of_its_own(files, capsys, rows):
    """Exit code 0 would be a gate that is open."""
    rows("d", {"slow": 2}, machine="another").to_csv("d.csv", index=False)
    assert _call(capsys, "a.csv", "d.csv")[0] == 0
    code, _, err = _call(capsys, "a.csv", "d.csv", "--fail-on", "slower")
    assert code == 3
    assert "could not be judged, so nothing is proven" in err
    rows("d", {"arithmetic": 1.5}).to_csv("d.csv", index=False)
    code, out, _ = _call(capsys, "a.csv", "d.csv", "--fail-on", "slower")
    assert code == 3
    assert "UNPROVEN" in out


def test_history_is_what_results_hold_of_this_machine(files, rows):
    assert not of_files("a.csv", "b.csv").table["provisional"].any()
    assert of_files("a.csv", "b.csv", results="nowhere").table["provisional"].all()
    mine, another = files / "results" / "m", files / "results" / "another"
    mine.rename(another)
    assert of_files("a.csv", "b.csv").table["provisional"].all()
    another.rename(mine)
    for number in range(4):
        (mine / f"stored {number}" / "summary.csv").unlink()
    assert of_files("a.csv", "b.csv").table["provisional"].all(), "what changed is read again"


def test_a_damaged_stored_run_stops_no_comparison(files, capsys, rows):
    stored = [files / "results" / "m" / f"stored {number}" / "summary.csv" for number in range(6)]
    for file, damage in zip(stored, ("rubbish\n", "", "x" * 10), strict=False):
        file.write_text(damage)
    code, out, err = _call(capsys, "a.csv", "b.csv")
    assert (code, err) == (0, "")
    assert "results/m/stored 0/summary.csv:1: has no column backend" in out
    assert "provisional" not in out, "three others are left"
    assert len(bench.compare("a.csv", "b.csv").attrs["ignored"]) == 3


def test_a_row_that_head_lost_in_any_run_stops_the_gate(files, capsys, rows):
    bad = rows("d")
    bad.loc[bad["backend"] == "slow", ["status", "reason", "seconds_per_step"]] = ["wrong", "updates w1 wrongly", np.nan]
    bad.to_csv("d.csv", index=False)
    code, out, err = _call(capsys, "a.csv", "b.csv,d.csv", "--fail-on", "slower")
    assert code == 1
    assert "slow: wrong in head: updates w1 wrongly" in out
    assert "lacks a time in head: wrong in head: updates w1 wrongly" in err
    bad[bad["backend"] != "slow"].to_csv("d.csv", index=False)
    code, out, err = _call(capsys, "a.csv", "d.csv", "--fail-on", "slower")
    assert code == 1
    assert "slow-cpu-float32-1-64x1000x100x10 lacks a time in head: not in head." in err
    assert "slow: not in base" in _call(capsys, "d.csv", "a.csv")[1]


def test_formats_tell_the_same(files, capsys):
    table = bench.compare("a.csv", "c.csv")
    (out,) = json.loads(_call(capsys, "a.csv", "c.csv", "--format", "json")[1])
    assert [row["verdict"] for row in out["rows"]] == list(table["verdict"])
    assert [row["ratio"] for row in out["rows"]] == pytest.approx(list(table["ratio"]))
    markdown = _call(capsys, "a.csv", "c.csv", "--format", "md")[1]
    assert all(f"| {verdict} |" in markdown for verdict in table["verdict"])
    assert f"geometric mean of 2 ratios: {out['geometric_mean']:.3f}" in markdown


def test_several_heads_are_one_json(files, capsys, rows):
    rows("d", {"arithmetic": 1.5}).to_csv("d.csv", index=False)
    code, out, err = _call(capsys, "a.csv", "b.csv", "d.csv", "--format", "json")
    assert code == 3
    assert "UNPROVEN" in err
    assert [(one["head"], len(one["rows"]), bool(one["doubts"])) for one in json.loads(out)] == [
        ("b.csv", 2, False), ("d.csv", 2, True),
    ]  # fmt: skip


def test_markdown_has_a_part_for_each_head(files, capsys):
    _, text, _ = _call(capsys, "a.csv", "b.csv", "c.csv", "--format", "md")
    assert text.startswith("### b.csv compared with a.csv\n")
    assert "### c.csv compared with a.csv" in text


@pytest.mark.parametrize("text", ["faster", "slower:", "slower:-1%", "slower:x", "slower:inf"])
def test_a_gate_that_cannot_be_is_refused(files, capsys, text):
    with pytest.raises(SystemExit) as stopped:
        _call(capsys, "a.csv", "b.csv", "--fail-on", text)
    assert stopped.value.code == 2
