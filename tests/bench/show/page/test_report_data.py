"""If these fail, the page shows other numbers than the tables, leaves something out in silence, or lets a text become code."""

import json
import re
import sys

import numpy as np
import pytest

from bench.__main__ import main
from bench.analyse.run import Run
from bench.cli import writing
from bench.errors import UsageError
from tests.bench.show.page.made import HOSTILE, MISSING, hole, journal

report = pytest.importorskip("bench.show.page", reason=MISSING)
data = pytest.importorskip("bench.show.page.data", reason=MISSING)


def _rows(table):
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]


def test_the_page_has_the_numbers_of_the_tables(tmp_path):
    path = journal(tmp_path / "r")
    told, table = data.gather([path], tmp_path), Run.read(path).table
    rows = {row["key"]: row for row in _rows(told["runs"][0]["table"])}
    assert len(rows) == len(table)
    for key, row in rows.items():
        expected = Run.read(path).row(key)
        for name in ("seconds_per_step", "seconds_per_step_low", "ratio", "verdict", "first_step_seconds", "error_w1"):
            assert row.get(name) == expected[name], (key, name)


def test_every_round_is_there_in_the_order_of_measuring(tmp_path):
    path = journal(tmp_path / "r", passes=4, blocks=3)
    visits = [one for one in Run.read(path).story.visits if one["case"].startswith("slow-")]
    (key,) = {one["case"] for one in visits}
    found = data.gather([path], tmp_path)["runs"][0]["rounds"][key]
    assert np.shape(found) == (4, 3)
    assert np.ravel(found) == pytest.approx([one["throughput_seconds"] / 10 for one in visits], rel=1e-5)


def test_a_failed_case_has_no_number(tmp_path):
    path = journal(tmp_path / "r", end=False)
    key = next(one["case"] for one in Run.read(path).story.visits if one["case"].startswith("slow-"))
    failure = {"record": "failure", "pass": 0, "case": key, "status": "wrong", "reason": "updates w1 wrongly"}
    path.write_text(path.read_text() + json.dumps(failure) + '\n{"record":"end","pass":3}\n')
    row = next(row for row in _rows(data.gather([path], tmp_path)["runs"][0]["table"]) if row["key"] == key)
    assert (row["status"], row["reason"]) == ("wrong", "updates w1 wrongly")
    assert row["seconds_per_step"] is None
    assert row["ratio"] is None


def test_an_unproven_run_has_no_verdicts(tmp_path):
    (run,) = data.gather([journal(tmp_path / "r", twin=1.2)], tmp_path)["runs"]
    assert run["doubts"][0].startswith("UNPROVEN")
    assert {row["verdict"] for row in _rows(run["table"])} == {None, "UNPROVEN"}
    assert run["headlines"][0]["text"].startswith("Unproven")


def test_old_and_new_journals_both_open(tmp_path):
    """Losses are in newer journals only."""
    old, new = journal(tmp_path / "a"), journal(tmp_path / "b", profile=True)
    told = data.gather([old, new], tmp_path)
    assert told["runs"][0]["profiles"] == {}
    assert len(next(iter(told["runs"][1]["profiles"].values()))["losses"]) == 10


def test_the_page_opens_where_most_was_measured(tmp_path):
    shapes = ([1, 1000, 100, 10], [64, 1000, 100, 10], [256, 1000, 100, 10])
    (run,) = data.gather([journal(tmp_path / "r", shapes=shapes)], tmp_path)["runs"]
    assert run["start"] == {"dtype": "float32", "threads": 1, "shape": "64x1000x100x10"}
    assert [one["shape"] for one in run["headlines"]] == ["1x1000x100x10", "64x1000x100x10", "256x1000x100x10"]
    assert {row["backend"] for row in _rows(run["scaling"]["fits"])} == {"base", "slow", "fast"}


def test_the_command_has_what_differs_from_the_defaults(tmp_path):
    (run,) = data.gather([journal(tmp_path / "r", threads=(1, 2), blocks=3)], tmp_path)["runs"]
    assert run["command"] == (
        "BENCH_DEVICES=cpu BENCH_THREADS=1,2 BENCH_BASELINE=base BENCH_PROCESSES=4 BENCH_BLOCKS=3 BENCH_STEPS=10 "
        "python -m bench run"
    )


def test_runs_are_compared_with_the_first(tmp_path):
    told = data.gather([journal(tmp_path / name, seed=seed) for seed, name in enumerate(("a", "b", "c"))], tmp_path)
    assert [(one["base"], one["head"]) for one in told["comparisons"]] == [("a", "b"), ("a", "c")]
    assert {row["backend"] for row in _rows(told["comparisons"][0]["table"])} == {"base", "slow", "fast"}
    assert [row["run"] for row in _rows(told["history"]) if row["backend"] == "slow"] == ["a", "b", "c"]


def test_what_is_too_much_is_left_out_and_said(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "DETAILED", 2)
    monkeypatch.setattr(data, "MAX_ROUNDS", 100)
    told = data.gather([journal(tmp_path / name) for name in ("a", "b", "c")], tmp_path)
    assert [run["name"] for run in told["runs"]] == ["b", "c"]
    assert [run["every_round"] for run in told["runs"]] == [False, True]
    assert np.shape(next(iter(told["runs"][0]["rounds"].values()))) == (4, 1)
    assert {row["run"] for row in _rows(told["history"])} == {"a", "b", "c"}
    assert told["left_out"] == [
        "Of the 1 earliest runs this page holds the estimates only.",
        "Of 1 runs this page holds a median per process instead of every round.",
    ]


def test_no_text_of_a_journal_becomes_markup(tmp_path):
    path = journal(tmp_path / "r", names={"slow": HOSTILE}, machine=HOSTILE, holes=[hole(HOSTILE, HOSTILE)])
    page = report.build([path], tmp_path)
    assert "<img" not in page.replace(report.get_plotlyjs(), "")
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert not re.findall("[<>&\u2028]", text)
    assert json.loads(text)["runs"][0]["machine"] == HOSTILE
    assert re.findall(r"<title>(.*?)</title>", page, re.S)[0].startswith("&lt;b&gt;&lt;/script&gt;&lt;img src=x onerror=&#34;")


def test_scripts_write_no_markup():
    """Whatever the data is, it can only become markup through one of these."""
    for name in report.SCRIPTS:
        text = (report.HERE / name).read_text()
        assert not re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|DOMParser", text), name


def test_the_command_writes_a_page_and_says_where(tmp_path, capsys):
    path = journal(tmp_path / "r")
    assert main(["report", str(tmp_path / "r")]) == 0
    assert f"written: {path.parent / 'report.html'}" in capsys.readouterr().out
    assert main(["report", str(tmp_path), "-o", str(tmp_path / "other.html")]) == 0
    assert (tmp_path / "other.html").read_text() == (path.parent / "report.html").read_text()


def test_without_a_name_the_latest_run_is_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_RESULTS", str(tmp_path))
    journal(tmp_path / "z-machine" / "20260101T000000Z")
    latest = journal(tmp_path / "a-machine" / "20260102T000000Z")
    assert main(["report"]) == 0
    assert (latest.parent / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["/nowhere"], "bench: /nowhere: cannot be read as a journal: No such file or directory"),
        (["{damaged}"], "bench: {damaged}:{line}: "),
        (["{run}", "-o", "/nowhere/page.html"], "bench: /nowhere/page.html: cannot be written: No such file or directory;"),
    ],
)
def test_bad_usage_is_one_sentence(arguments, says, tmp_path, capsys):
    path = journal(tmp_path / "r")
    damaged = tmp_path / "journal.jsonl"
    lines = path.read_text().splitlines()
    line = next(number for number, text in enumerate(lines) if '"visit"' in text)
    visit = json.loads(lines[line])
    del visit["throughput_seconds"]
    damaged.write_text("\n".join([*lines[:line], json.dumps(visit), *lines[line + 1 :]]) + "\n")
    assert main(["report", *(word.format(run=path.parent, damaged=damaged) for word in arguments)]) == 2
    told = capsys.readouterr().err
    assert told.startswith(says.format(damaged=damaged, line=line + 1))
    assert told.count("\n") == 1


def test_a_bug_of_ours_is_not_called_a_damaged_file(tmp_path, monkeypatch):
    """It has to surface with its traceback: whoever reads "damaged" throws a good file away."""

    def broken(*_, **__):
        raise KeyError("ours")

    monkeypatch.setattr(data, "about", broken)
    with pytest.raises(KeyError, match="ours"):
        data.gather([journal(tmp_path / "r")], tmp_path)


def test_runs_without_a_single_number_still_open(tmp_path):
    """Of such a run the page shows why there is none."""
    paths = [journal(tmp_path / name, passes=0) for name in ("a", "b")]
    told = data.gather(paths, tmp_path)
    assert {row["status"] for run in told["runs"] for row in _rows(run["table"])} == {"incomplete"}
    assert _rows(told["history"]) == []
    assert report.render(told)


def test_a_missing_library_is_named_with_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "bench.show.page", None)
    monkeypatch.delattr("bench.show.page")

    class Missing:
        def find_spec(self, name, path=None, target=None):
            if name == "bench.show.page":
                raise ModuleNotFoundError("No module named 'plotly'", name="plotly")

    monkeypatch.delitem(sys.modules, "bench.show.page")
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    says = r"^report: needs plotly of the extra `report`, which is not installed; run `make report`\.$"
    with pytest.raises(UsageError, match=says):
        writing.report(None)
