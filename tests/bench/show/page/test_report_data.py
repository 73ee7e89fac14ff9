"""If these fail, the page shows other numbers than the tables, or lets a text become code."""

import json
import re
import sys

import numpy as np
import pytest

from bench.__main__ import main
from bench.analyse.run import Run
from bench.cli import writing
from bench.errors import UsageError
from tests.bench.show.page.made import HOSTILE, MISSING, journal
from tests.made import a_hole

report = pytest.importorskip("bench.show.page", reason=MISSING)
data = pytest.importorskip("bench.show.page.data", reason=MISSING)


def _rows(table):
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]


def _gathered(*paths):
    return data.gather([*paths], paths[0].parent.parent)


def _key(path):
    """Of the case `slow`."""
    return next(each["case"] for each in Run.read(path).story.visits if "slow" in each["case"])


def test_the_page_has_the_numbers_of_the_tables_and_every_round(tmp_path):
    path = journal(tmp_path / "r")
    (run,), read = _gathered(path)["runs"], Run.read(path)
    shown = {row["key"]: row for row in _rows(run["table"])}
    names = [*(f"seconds_per_step{end}" for end in ("", "_low")), "ratio", "verdict", "error_state"]
    expected = {key: [read.row(key)[name] for name in names] for key in read.table.index}
    assert {key: [row.get(name) for name in names] for key, row in shown.items()} == expected
    visits = [each for each in read.story.visits if each["case"] == _key(path)]
    found = run["rounds"][_key(path)]
    assert np.shape(found) == (4, 3)
    seconds = [each["throughput_seconds"] / 10 for each in visits]
    assert np.ravel(found) == pytest.approx(seconds, rel=1e-5)


def test_a_failed_case_has_no_number(tmp_path):
    path = journal(tmp_path / "r", end=False)
    failure = {"record": "failure", "pass": 3, "at_seconds": 3.0, "case": _key(path)}
    failure |= {"status": "wrong", "reason": "updates w1 wrongly"}
    end = {"record": "end", "pass": 3, "at_seconds": 4.0}
    path.write_text(f"{path.read_text()}{json.dumps(failure)}\n{json.dumps(end)}\n")
    (run,) = _gathered(path)["runs"]
    row = next(row for row in _rows(run["table"]) if row["key"] == failure["case"])
    names = ("status", "reason", "seconds_per_step", "ratio")
    assert [row[name] for name in names] == ["wrong", "updates w1 wrongly", None, None]


def test_an_unproven_run_has_no_verdicts(tmp_path):
    (run,) = _gathered(journal(tmp_path / "r", twin=1.2))["runs"]
    assert run["doubts"][0].startswith("UNPROVEN")
    assert {row["verdict"] for row in _rows(run["table"])} == {None, "UNPROVEN"}
    assert run["headlines"][0]["text"].startswith("Unproven")


def test_the_page_opens_where_most_was_measured_with_losses_and_lines(tmp_path):
    shapes = [f"{N}x1000x100x10" for N in (1, 64, 256)]
    path = journal(tmp_path / "r", shapes=shapes, threads=(1, 2), profile=True)
    (run,) = _gathered(path)["runs"]
    assert run["start"] == {"dtype": "float32", "threads": 1, "shape": "64x1000x100x10"}
    assert [each["shape"] for each in run["headlines"]] == 2 * shapes
    assert {row["backend"] for row in _rows(run["scaling"]["fits"])} == {"base", "slow", "fast"}
    assert len(run["profiles"][_key(path)]["losses"]) == 10
    assert "BENCH_THREADS=1,2 " in run["command"]


def test_runs_are_compared_with_the_first(tmp_path):
    found = _gathered(*(journal(tmp_path / name, seed=ord(name)) for name in "abc"))
    compared = found["comparisons"]
    assert [(each["base"], each["head"]) for each in compared] == [("a", "b"), ("a", "c")]
    assert {row["backend"] for row in _rows(compared[0]["table"])} == {"base", "slow", "fast"}
    history = [row["run"] for row in _rows(found["history"]) if row["backend"] == "slow"]
    assert history == ["a", "b", "c"]


def test_what_is_too_much_is_left_out_and_said(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "DETAILED", 2)
    monkeypatch.setattr(data, "MAX_ROUNDS", 100)
    found = _gathered(*(journal(tmp_path / name) for name in "abc"))
    assert [(run["name"], run["every_round"]) for run in found["runs"]] == [
        ("b", False), ("c", True),
    ]  # fmt: skip
    assert np.shape(next(iter(found["runs"][0]["rounds"].values()))) == (4, 1)
    assert {row["run"] for row in _rows(found["history"])} == {"a", "b", "c"}
    assert found["left_out"] == [
        "Of the 1 earliest runs this page holds the estimates only.",
        "Of 1 runs this page holds a median per process instead of every round.",
    ]


def test_no_text_of_a_journal_becomes_markup(tmp_path):
    holes = [a_hole(HOSTILE, HOSTILE)]
    path = journal(tmp_path / "r", names={"slow": HOSTILE}, machine=HOSTILE, holes=holes)
    page = report.build([path], tmp_path)
    assert "<img" not in page.replace(report.get_plotlyjs(), "")
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert not re.findall("[<>&\u2028]", text)
    assert json.loads(text)["runs"][0]["machine"] == HOSTILE
    (title,) = re.findall(r"<title>(.*?)</title>", page, re.S)
    assert title.startswith("&lt;b&gt;&lt;/script&gt;&lt;img src=x onerror=&#34;")


def test_scripts_write_no_markup():
    """Data can become markup through one of these alone."""
    ways = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|DOMParser"
    assert re.findall(ways, report.script()) == []


def test_the_command_writes_a_page_of_a_run_or_of_the_latest(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("BENCH_RESULTS", str(tmp_path))
    journal(tmp_path / "z-machine" / "20260101T000000Z")
    latest = journal(tmp_path / "a-machine" / "20260102T000000Z").with_name("report.html")
    assert main(["report", str(latest.parent)]) == 0
    assert f"written: {latest}" in capsys.readouterr().out
    assert main(["report", str(latest.parent), "-o", str(tmp_path / "other.html")]) == 0
    assert (tmp_path / "other.html").read_text() == latest.read_text()
    latest.unlink()
    assert main(["report"]) == 0
    assert latest.exists()


def test_runs_without_a_single_number_still_open(tmp_path):
    found = _gathered(*(journal(tmp_path / name, passes=0) for name in "ab"))
    statuses = {row["status"] for run in found["runs"] for row in _rows(run["table"])}
    assert statuses == {"incomplete"}
    assert _rows(found["history"]) == []
    assert report.render(found)


def test_a_missing_library_is_named_with_what_to_install(monkeypatch):
    class Missing:
        def find_spec(self, name, path=None, target=None):
            if name == "bench.show.page":
                raise ModuleNotFoundError("No module named 'plotly'", name="plotly")

    monkeypatch.delattr("bench.show.page")
    monkeypatch.delitem(sys.modules, "bench.show.page")
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    with pytest.raises(UsageError, match="^report: needs plotly of the extra `report`, which is"):
        writing.report(None)
