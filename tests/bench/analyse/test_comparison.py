"""If these fail, two runs are compared that cannot be, or a verdict is given that was not earned."""

import json
from functools import partial

import numpy as np
import pandas as pd
import pytest

import bench
from bench import __main__
from bench.analyse.comparison import judge
from bench.analyse.verdicts import EQUAL, FASTER, SLOWER, UNDECIDED
from bench.show import comparison_tables
from tests.support import run_rows


@pytest.fixture
def rows():
    random = np.random.default_rng(0)
    return partial(run_rows, random=random)


def _campaign(rows, runs=20):
    return pd.concat([rows(f"calm {number}") for number in range(runs)], ignore_index=True)


def _verdicts(found):
    return dict(zip(found.table["backend"], found.table["verdict"], strict=True))


def test_a_slowdown_is_found_and_the_other_row_is_not_accused(rows):
    calm = partial(rows, spread=0.001)
    found = judge(calm("a"), calm("b", slower={"slow": 1.03}), _campaign(calm, 40))
    assert _verdicts(found) == {"base": EQUAL, "slow": SLOWER}
    assert found.doubts == []


def test_faster_is_the_same_the_other_way_round(rows):
    found = judge(rows("a", slower={"slow": 1.05}), rows("b"), _campaign(rows, 40))
    assert _verdicts(found)["slow"] == FASTER


def test_weather_that_slows_all_alike_is_no_difference(rows):
    """Six percent on every time, raw times say, and the yardsticks know why."""
    everything = dict.fromkeys(("base", "slow", "twin", "arithmetic", "dispatch", "traffic"), 1.06)
    found = judge(rows("a", spread=0.001), rows("b", spread=0.001, slower=everything), _campaign(rows, 40))
    assert SLOWER not in _verdicts(found).values()
    assert found.table["raw_ratio"].min() > 1.03


def test_two_runs_alone_are_never_judged(rows):
    found = judge(rows("a"), rows("b", slower={"slow": 2}))
    assert set(_verdicts(found).values()) == {UNDECIDED}
    assert "how much one run of this machine differs from the next is unknown" in found.table["reason"][0]
    assert found.table["ratio"].notna().all()
    assert found.table["ratio_low"].isna().all()


def test_a_campaign_with_other_kernels_does_not_speak_for_a_run(rows):
    campaign = _campaign(rows, 40).assign(kernels="OPENBLAS_CORETYPE=Haswell")
    found = judge(rows("a"), rows("b", slower={"slow": 1.05}), campaign)
    assert set(found.table["verdict"]) == {"UNDECIDED"}
    assert "the campaign holds no two runs that were measured alike (machine, kernels," in found.table["reason"].iloc[0]
    head = rows("b", slower={"slow": 1.05}).assign(kernels="OPENBLAS_CORETYPE=Haswell")
    both = judge(rows("a"), head, campaign).table["reason"].iloc[0]
    assert "the choice of kernels differs: unknown → OPENBLAS_CORETYPE=Haswell" in both


def test_several_runs_a_side_need_no_campaign(rows):
    base = pd.concat([rows(f"a{number}") for number in range(8)])
    head = pd.concat([rows(f"b{number}", slower={"slow": 1.05}) for number in range(8)])
    found = judge(base, head)
    assert _verdicts(found)["slow"] == SLOWER
    assert list(found.table["base_runs"]) == [8, 8]


def test_false_alarms_stay_below_one_table_in_a_hundred():
    """Single runs of unchanged code in bad weather, judged with campaigns of twenty runs."""
    random = np.random.default_rng(1)
    alarms = 0
    for _ in range(10):
        campaign = pd.concat([run_rows(f"calm {n}", random) for n in range(20)], ignore_index=True)
        for _ in range(10):
            found = judge(run_rows("a", random, weather=0.05), run_rows("b", random), campaign)
            alarms += any(verdict in (FASTER, SLOWER) for verdict in _verdicts(found).values())
    assert alarms <= 3  # more than that has a chance below 2 % if one in a hundred is true


def test_runs_that_are_judged_do_not_calm_themselves(rows):
    """With themselves in the campaign, a pair that lies far apart would widen what counts as ordinary."""
    a, b, calm = rows("a"), rows("b", slower={"slow": 2}), _campaign(rows)
    without, within = (judge(a, b, campaign).table for campaign in (calm, pd.concat([calm, a, b])))
    pd.testing.assert_frame_equal(without, within)


def test_a_campaign_of_another_machine_or_of_shorter_runs_does_not_count(rows):
    others = _campaign(partial(rows, machine="another"))
    shorter = _campaign(rows).assign(processes=5)
    for campaign in (others, shorter):
        assert set(_verdicts(judge(rows("a"), rows("b"), campaign)).values()) == {UNDECIDED}


def test_a_case_that_the_campaign_lacks_is_judged_by_its_widest_row(rows):
    """A new backend has no history of its own; the noisiest of its neighbours speaks for it."""
    campaign = _campaign(rows, 40)
    noisy = campaign["backend"] == "base"
    campaign.loc[noisy, "quiet_seconds_per_step"] *= np.exp(np.random.default_rng(5).normal(0, 0.05, noisy.sum()))
    new = [rows(name).replace({"backend": {"slow": "new"}}) for name in "ab"]
    table = judge(*new, campaign).table.set_index("backend")
    assert "the campaign does not hold this case" in table.loc["new", "reason"]
    widths = table["ratio_high"] - table["ratio_low"]
    assert widths["new"] == pytest.approx(widths["base"], rel=0.05)


def test_other_machines_are_shown_and_not_judged(rows):
    found = judge(rows("a"), rows("b", machine="another"), _campaign(rows))
    assert set(_verdicts(found).values()) == {UNDECIDED}
    assert "different machines" in found.table["reason"][0]
    assert found.table["ratio"].isna().all()
    assert found.table["raw_ratio"].notna().all()


def test_rows_of_one_side_are_shown_as_what_they_are(rows):
    base, head = rows("a"), rows("b")
    head.loc[head["backend"] == "slow", ["status", "reason", "seconds_per_step"]] = ["wrong", "updates w1 wrongly", np.nan]
    head.loc[head["backend"] == "base", "dtype"] = "float64"
    table = judge(base, head, _campaign(rows)).table
    reasons = dict(zip(zip(table["backend"], table["dtype"], strict=True), table["reason"], strict=True))
    assert reasons["slow", "float32"] == "wrong in head: updates w1 wrongly"
    assert reasons["base", "float32"] == "not in head"
    assert reasons["base", "float64"] == "not in base"
    assert set(table["verdict"]) == {""}


def test_what_else_changed_is_said(rows):
    head = rows("b").assign(source_hash="y", versions="numpy==3", allocator="system")
    reason = judge(rows("a"), head, _campaign(rows)).table["reason"][0]
    assert "the step's source differs" in reason
    assert "libraries differ: numpy==2 → numpy==3" in reason
    assert "the allocator differs: pinned → system" in reason


def test_a_yardstick_whose_library_changed_measures_nothing(rows):
    head = rows("b", slower={"dispatch": 1.3})
    head.loc[head["backend"] == "dispatch", "versions"] = "numpy==3"
    found = judge(rows("a"), head, _campaign(rows, 10))
    assert found.table["yardsticks"][0] == "arithmetic:0.50 traffic:0.50"
    assert found.doubts == [], "another library is no other weather"
    found = judge(rows("a"), rows("b").assign(versions="numpy==3"), _campaign(rows))
    assert "no yardstick is known to have done the same work" in found.table["reason"][0]


def test_what_is_not_known_is_not_the_same(rows):
    base, head = (rows(name).assign(source_hash="", versions="") for name in "ab")
    assert "no yardstick is known" in judge(base, head, _campaign(rows)).table["reason"][0]
    base, head = (rows(name, machine="") for name in "ab")
    assert "times of unknown machines are shown, not judged" in judge(base, head).table["reason"][0]


def test_controls_that_change_make_the_comparison_unproven(rows):
    twin = rows("b")
    twin.loc[twin["kind"] == "twin", "verdict"] = SLOWER
    (doubt,) = judge(rows("a"), twin, _campaign(rows)).doubts
    assert "in run b of head the twin differs" in doubt
    for change in (1.3, 0.7):
        (doubt,) = judge(rows("a"), rows("b", slower={"traffic": change}), _campaign(rows)).doubts
        assert "the yardstick traffic[cpu, threads 1], fixed work" in doubt


def test_a_table_from_before_runs_were_compared_says_how_to_mend_it(rows):
    old = rows("b").assign(quiet_seconds_per_step=np.nan, yardsticks="", relative_error=np.nan)
    found = judge(rows("a"), old, _campaign(rows))
    assert found.doubts == []
    assert set(_verdicts(found).values()) == {UNDECIDED}
    assert "run `python -m bench summary` on its run" in found.table["reason"][0]


def test_a_noisy_twin_never_widens_what_is_equal(rows):
    noisy = rows("b", slower={"slow": 1.02}, spread=0)
    noisy.loc[noisy["kind"] == "twin", "ratio_high"] = 1.05
    found = judge(rows("a", spread=0), noisy, _campaign(rows, 40))
    assert found.margin == 0.01
    assert _verdicts(found)["slow"] != EQUAL
    asked = judge(rows("a", spread=0), noisy, _campaign(rows, 40), margin=0.05)
    assert (asked.margin, _verdicts(asked)["slow"]) == (0.05, EQUAL)


def _singly(rows):
    return rows.assign(undisturbed_seconds_per_step=rows["quiet_seconds_per_step"])


def test_two_runs_whose_steps_were_timed_singly_get_provisional_verdicts(rows):
    found = judge(_singly(rows("a")), _singly(rows("b", slower={"slow": 1.1})))
    assert _verdicts(found)["slow"] == SLOWER
    assert found.table["provisional"].tolist() == [True, True]
    assert found.table["reason"][1].startswith("provisional: ")


def test_runs_from_before_and_after_steps_were_timed_singly_are_not_judged(rows):
    found = judge(rows("a"), _singly(rows("b")), _campaign(rows))
    assert set(_verdicts(found).values()) == {UNDECIDED}
    assert "only one side tells of single steps" in found.table["reason"][0]


def test_instructions_stand_beside_the_times_where_both_sides_counted_them(rows):
    base = pd.concat([rows("a").assign(instructions_per_step=2e6), rows("b").assign(instructions_per_step=2.2e6)])
    shown = comparison_tables.markdown(judge(base, rows("c").assign(instructions_per_step=1e6)))
    assert "| 2.1 M → 1 M |" in shown
    assert "instr." not in comparison_tables.markdown(judge(base, rows("c")))
    found = judge(base, rows("c")).table
    assert found["base_instructions_per_step"].tolist() == [2.1e6, 2.1e6]
    assert found["head_instructions_per_step"].isna().all()


def test_an_undecided_row_says_how_many_runs_would_decide(rows):
    """Runs spread by 1.5 %, so that one of each cannot tell 4 %; three times as many can."""
    wide = partial(rows, spread=0.015)
    found = judge(wide("a", spread=0), wide("b", spread=0, slower={"slow": 1.04}), _campaign(wide, 40))
    reason = found.table.set_index("backend").at["slow", "reason"]
    assert "more runs a side would decide" in reason


@pytest.fixture
def files(tmp_path, rows, monkeypatch):
    monkeypatch.setenv("BENCH_RESULTS", str(tmp_path / "results"))
    for name, one in {"a": rows("a"), "b": rows("b"), "c": rows("c", slower={"slow": 1.05})}.items():
        one.to_csv(tmp_path / f"{name}.csv", index=False)
    kept = tmp_path / "results" / "m"
    kept.mkdir(parents=True)
    _campaign(rows, 40).to_csv(kept / "campaign.csv", index=False)
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
    assert "slow[cpu, float32, threads 1, 64x1000x100x10] is SLOWER: 1.0" in err
    assert _call(capsys, "a.csv", "c.csv", "--fail-on", "slower:20%")[0] == 0
    code, _, err = _call(capsys, "a.csv", "nowhere.csv")
    assert (code, err) == (2, "bench: nowhere.csv: does not exist; give a run's folder, or one of its files.\n")
    code, out, _ = _call(capsys, "a.csv", "nowhere.csv", "b.csv")
    assert code == 2
    assert "head b.csv" in out, "one bad head must not stop the next"


def test_a_run_is_not_compared_with_itself(files, capsys):
    assert _call(capsys, "a.csv,b.csv", "b.csv")[::2] == (
        2, "bench: m/b: stands on both sides; a run is compared with others, so leave it out of one.\n",
    )  # fmt: skip


def test_a_gate_that_could_not_judge_is_unproven(files, capsys):
    """Twice the time, and no campaign that says what a difference is: exit code 0 would be a gate that is open."""
    (files / "results" / "m" / "campaign.csv").unlink()
    assert _call(capsys, "a.csv", "c.csv")[0] == 0
    code, _, err = _call(capsys, "a.csv", "c.csv", "--fail-on", "slower")
    assert code == 3
    assert "could not be judged, so nothing is proven" in err


def test_a_campaign_that_cannot_be_read_is_named_and_the_rest_goes_on(files, capsys):
    (files / "results" / "m" / "campaign.csv").write_text("rubbish\n")
    code, out, err = _call(capsys, "a.csv", "b.csv")
    assert code == 2
    assert "campaign.csv:1: has no column backend" in err
    assert "UNDECIDED" in out


def test_unproven_has_an_exit_code_of_its_own(files, capsys, rows):
    rows("d", slower={"traffic": 1.5}).to_csv("d.csv", index=False)
    code, out, _ = _call(capsys, "a.csv", "d.csv", "--fail-on", "slower")
    assert code == 3
    assert "UNPROVEN" in out


def test_a_row_that_head_lost_stops_the_gate(files, capsys):
    head = pd.read_csv("b.csv", keep_default_na=False)
    head[head["backend"] != "slow"].to_csv("b.csv", index=False)
    code, _, err = _call(capsys, "a.csv", "b.csv", "--fail-on", "slower")
    assert code == 1
    assert "slow[cpu, float32, threads 1, 64x1000x100x10] lacks a time in head: not in head." in err


def test_a_row_that_went_wrong_in_one_run_of_several_stops_the_gate(files, capsys, rows):
    bad = rows("d")
    bad.loc[bad["backend"] == "slow", ["status", "reason", "seconds_per_step"]] = ["wrong", "updates w1 wrongly", np.nan]
    bad.to_csv("d.csv", index=False)
    code, out, err = _call(capsys, "a.csv", "b.csv,d.csv", "--fail-on", "slower")
    assert code == 1
    assert "slow: wrong in head: updates w1 wrongly" in out
    assert "lacks a time in head: wrong in head: updates w1 wrongly" in err


def test_formats_tell_the_same(files, capsys):
    table = bench.compare("a.csv", "c.csv", results="results")
    (out,) = json.loads(_call(capsys, "a.csv", "c.csv", "--format", "json")[1])
    assert [row["verdict"] for row in out["rows"]] == list(table["verdict"])
    assert [row["ratio"] for row in out["rows"]] == pytest.approx(list(table["ratio"]))
    lines = _call(capsys, "a.csv", "c.csv", "--format", "csv")[1].splitlines()
    assert [line.split(",")[8] for line in lines[1:]] == list(table["verdict"])
    markdown = _call(capsys, "a.csv", "c.csv", "--format", "md")[1]
    assert all(f"| {verdict} |" in markdown for verdict in table["verdict"])
    assert f"geometric mean of 2 ratios: {out['geometric_mean']:.3f}" in markdown


def test_several_heads_are_one_json_and_one_csv(files, capsys, rows):
    rows("d", slower={"traffic": 1.5}).to_csv("d.csv", index=False)
    code, out, err = _call(capsys, "a.csv", "b.csv", "d.csv", "--format", "csv")
    assert code == 3
    assert "UNPROVEN" in err, "a machine format has no place for a doubt"
    lines = out.splitlines()
    assert len(lines) == 1 + 2 * 2
    assert {line.rpartition(",")[2] for line in lines[1:]} == {"b.csv", "d.csv"}
    told = json.loads(_call(capsys, "a.csv", "b.csv", "d.csv", "--format", "json")[1])
    assert [(one["head"], bool(one["doubts"])) for one in told] == [("b.csv", False), ("d.csv", True)]


def test_githubs_step_summary_is_appended_to(files, capsys):
    summary = files / "summary.md"
    summary.write_text("before\n")
    _call(capsys, "a.csv", "b.csv", "c.csv", "--github-summary", summary)
    text = summary.read_text()
    assert text.startswith("before\n### b.csv beside a.csv\n")
    assert "### c.csv beside a.csv" in text
    code, _, err = _call(capsys, "a.csv", "b.csv", "--github-summary", files / "none" / "summary.md")
    assert code == 2
    assert "cannot be written: No such file or directory" in err


@pytest.mark.parametrize("text", ["faster", "slower:", "slower:-1%", "slower:x", "slower:inf"])
def test_a_gate_that_cannot_be_is_refused(files, capsys, text):
    with pytest.raises(SystemExit) as stopped:
        _call(capsys, "a.csv", "b.csv", "--fail-on", text)
    assert stopped.value.code == 2
