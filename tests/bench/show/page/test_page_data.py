"""If these fail, the page shows numbers, verdicts or code that the journals do not hold."""

import re
import sys
from html import unescape

import pandas as pd
import pytest

from bench.analyse import history
from bench.analyse.verdicts import Estimate
from bench.cli import main, stored
from bench.errors import UsageError
from bench.show import sentences
from bench.show.grid import MEAN, UNDISTURBED
from tests.bench.show.page.made import HOSTILE, SHAPE, SOURCES, TIMES, journal

APART = "are the fastest of 3 ways, not told apart"
MISSING = "the extra report is not installed"
page = pytest.importorskip("bench.show.page", reason=MISSING)
data = pytest.importorskip("bench.show.page.data", reason=MISSING)


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    """The journal of a run with nothing special."""
    return journal(tmp_path_factory.mktemp("usual") / "r")


@pytest.fixture
def rows(usual):
    """Its ways, which a test may change."""
    return _ways(usual)


def _gather(*files):
    return data.gather(files, files[0].parent / "results")


def _parts(*files):
    return {part["kind"]: part for part in _gather(*files)["views"][-1]["parts"]}


def _notes(figure):
    """The texts above and at the right of each way."""
    texts = [note["text"] for note in figure["layout"]["annotations"]]
    return [tuple(texts[place : place + 2]) for place in range(0, len(texts), 2)]


def _ways(file):
    return [row for row in data.rows(data.Run.read(file)) if not data.is_control(row["kind"])]


def test_the_bars_are_undisturbed_times_with_ratio_and_verdict(usual):
    """Of three blocks two take 1.2 times as long, which is their median."""
    part = _parts(usual)["bars"]
    ran, solid, dots = part["figure"]["data"]
    ways = ("fast", "base", "slow")
    assert solid["x"] == pytest.approx([TIMES[name] for name in ways], rel=0.002)
    assert ran["x"] == pytest.approx([1.2 * TIMES[name] for name in ways], rel=0.002)
    assert part["sentence"] == "fast is the fastest of 3 ways; it takes 160 µs less a step than base."
    above, right = zip(*_notes(part["figure"]), strict=True)
    assert above[1] == "base   300 µs · 360 µs as it ran"
    assert [text.split("<br>")[0] for text in right] == ["0.467 times · faster", "baseline", "1.567 times · slower"]
    ends = [at + error for at, error in zip(dots["x"], dots["error_x"]["array"], strict=True)]
    assert part["figure"]["layout"]["xaxis"]["range"][1] >= max(ends)


def test_the_axis_reaches_the_last_whisker_and_is_logarithmic_where_times_are_far_apart(rows):
    rows[0]["high"] = 1e-3
    assert data.figures.bars(rows)["layout"]["xaxis"]["range"][1] > 1e-3
    rows[0][MEAN] = 1.0
    axis = data.figures.bars(rows)["layout"]["xaxis"]
    assert (axis["type"], axis["range"][0]) == ("log", -4)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fast": 301e-6}, f"base and fast {APART}; slow costs 170 µs more a step than base."),
        ({"slow": 140.05e-6}, f"fast and slow {APART}; slow takes 160 µs less a step than base."),
        ({"fast": None, "queued": "slow"}, "base is the fastest of 2 ways; slow costs 345 µs more a step as it ran."),
    ],
)
def test_the_sentence_names_leaders_and_what_the_open_way_costs(tmp_path, changes, said):
    """A way that is not proven slower than the best leads with it; of seeds the first by name is open."""
    queued = [changes.pop("queued", "")]
    times = {name: time for name, time in (TIMES | changes).items() if time}
    rows = _ways(journal(tmp_path / "r", times=times, queued=queued))
    rows = [row | {"kind": "seed" if row["label"] == "slow" else "rung"} for row in rows]
    assert sentences.answer(rows, False) == said


def test_a_way_without_an_undisturbed_time_is_marked_and_so_is_its_ratio(rows):
    rows[2] |= {"undisturbed_seconds_per_step": None, "time": 705e-6, MEAN: 705e-6, "mean": True, "of_means": True}
    above, right = _notes(data.figures.bars(rows))[2]
    assert above == "slow   705 µs as it ran"
    assert right.endswith(" as it ran")


def test_an_unproven_run_has_no_verdict_anywhere_and_no_text_of_a_journal_becomes_markup(tmp_path):
    file = journal(tmp_path / "r", twin=1.5, names={"slow": HOSTILE}, cpu=HOSTILE)
    assert _parts(file)["bars"]["sentence"] == sentences.CANNOT
    assert {row["verdict"] for row in data.rows(data.Run.read(file))} == {"", "UNPROVEN"}
    text = page.build([file], tmp_path)
    assert "UNPROVEN: the twin" in text
    assert HOSTILE[:30] not in text
    assert HOSTILE[:30] in unescape(text)


def test_a_side_is_compared_way_by_way(tmp_path):
    part = _parts(journal(tmp_path / "r", sides=("main", "here"), later=1.041))["dots"]
    assert part["sentence"] == "1 of 3 ways is slower than main: slow +4.1 %; 2 equal."
    before, after = part["figure"]["data"]
    assert (before["name"], after["name"]) == ("main", "here")
    assert after["x"][-1] / before["x"][-1] == pytest.approx(1.041, rel=0.003)
    assert _notes(part["figure"])[-1][1].startswith("+4.1 % · slower")


def test_a_sweep_is_a_heat_map_first(tmp_path):
    shapes = (f"16{SHAPE[2:]}", SHAPE)
    file = journal(tmp_path / "r", shapes=shapes, times=TIMES | {"slower": 900e-6})
    first, second = _gather(file)["views"][0]["parts"]
    assert first["sentence"] == "Proven the fastest: fast at 2 of 2 shapes."
    assert second["sentence"].startswith(f"At {shapes[0]}: fast is the fastest of 4 ways")
    heat, axes = first["figure"]["data"][0], first["figure"]["layout"]
    assert axes["yaxis"]["ticktext"] == ["fast", "base", "slow", "slower"]
    assert axes["xaxis"]["ticktext"] == ["16", "64"]
    assert heat["z"] == [[0, 0], [3, 3], [5, 5], [6, 6]]
    assert heat["text"] == [["0.47"] * 2, ["1.00"] * 2, ["1.57"] * 2, ["3.00"] * 2]


def test_a_second_run_of_the_machine_is_judged_and_one_of_another_is_not(tmp_path):
    base = journal(tmp_path / "m" / "20260101T000000Z")
    slower = TIMES | {"slow": 1.5 * TIMES["slow"]}
    told = _parts(base, journal(tmp_path / "m" / "20260102T000000Z", times=slower))["dots"]
    assert told["sentence"].startswith("1 of 3 ways is slower than run 20260101T000000Z: slow +50")
    assert any(note.startswith("provisional: ") for note in told["notes"])
    told = _parts(base, journal(tmp_path / "m" / "20260104T000000Z", times=slower | {"arithmetic": 1e-3}))["dots"]
    assert told["sentence"] == sentences.CANNOT
    assert {words.split("<br>")[0][-8:] for _, words in _notes(told["figure"])} == {"unproven"}
    told = _parts(base, journal(tmp_path / "n" / "20260103T000000Z", times=slower, machine="n"))["dots"]
    assert told["sentence"].startswith("On n a step takes 1.00 to 1.50 times as long as on m; times of different machines")
    assert all(words.endswith(" · not judged<br>") for _, words in _notes(told["figure"]))
    assert told["notes"] == []


def test_three_runs_are_lines_over_time_and_two_are_not(tmp_path, monkeypatch):
    """In the newest run of a machine; as many ways are named as there are colors, the quickest first."""
    monkeypatch.setattr(data.figures, "LINES", data.figures.LINES[:2])
    files = [journal(tmp_path / "m" / f"202601{day:02}T000000Z") for day in range(1, 4)]
    views = _gather(*files, journal(tmp_path / "n" / "20260105T000000Z", machine="n"))["views"]
    kinds = [[part["kind"] for part in view["parts"]] for view in views]
    assert kinds == [["bars"], ["dots", "bars"], ["history", "bars"], ["dots", "bars"]]
    part = views[2]["parts"][0]
    assert part["sentence"] == "No way has changed over 3 runs."
    lines = part["figure"]["data"]
    assert [(line["name"], line["showlegend"]) for line in lines] == [("slow", False), ("base", True), ("fast", True)]
    assert lines[2]["y"] == pytest.approx([TIMES["fast"]] * 3, rel=0.002)
    assert lines[2]["x"] == [f"2026-01-0{day}T00:00:00+00:00" for day in range(1, 4)]
    assert max(lines[2]["error_y"]["array"]) < 0.01 * TIMES["fast"]


def test_change_points_are_vertical_and_say_what_changed():
    at = [f"2026-01-{day:02}" for day in range(1, 4)]
    times = {"time": at, "side": "", **dict.fromkeys([f"{UNDISTURBED}_low", f"{UNDISTURBED}_high"])}

    def series(backend, log, *changes):
        found = [history.Change(place, "SLOWER", Estimate(0.1, 0.01, 9), what) for place, what in changes]
        return history.Series(pd.DataFrame(times | {"backend": backend, "log": log}), pd.DataFrame(), found)

    ways = [series("plain", 0.0), series("late", 1.0, (2, ["torch 1 → 2"])), series(HOSTILE, 2.0, (1, []))]
    figure = data.figures.over_time(ways)
    layout = figure["layout"]
    assert [line["name"][:5] for line in figure["data"]][::2] == ["plain", "late"], "drawn last: those that changed"
    assert [shape["x0"] for shape in layout["shapes"]] == [at[1], at[2]]
    told = {note["x"]: note["text"] for note in layout["annotations"]}
    assert told[at[2]] == "torch 1 → 2"
    assert "<" not in told[at[1]]


@pytest.mark.parametrize("source", ["def (", "", HOSTILE, *SOURCES.values()])
def test_code_is_highlighted_line_by_line_and_is_never_markup(source):
    shown = [html for lines in page.blocks(source).values() for _, html in lines]
    text = [unescape(re.sub("<[^>]*>", "", html)) for html in shown]
    assert text == [line.code for line in page.code_lines.code(source)]
    assert "<script" not in "".join(shown)


def test_the_baseline_and_the_slowest_are_open_unless_a_side_changed():
    def way(name, side="", source="", kind="rung"):
        base = f"{name}@a" if side == "b" else f"base@{side or 'a'}"
        facts = {"backend": name, "side": side, "kind": kind, "source_hash": source or name}
        return {"key": f"{name}@{side or 'a'}", "baseline": base, **facts}

    ways = [way("fast"), way("base"), way("slow")]
    assert data.open_pair(ways) == [1, 2]
    assert data.open_pair([way("x", kind="seed"), *ways]) == [2, 0]
    ways = [way("base", "a"), way("slow", "a"), way("base", "b"), way("slow", "b", "other")]
    assert data.open_pair(ways) == [1, 3]
    assert data.open_pair(ways[:1]) == data.open_pair([]) == []


def test_columns_in_which_all_rows_are_equal_stand_apart(rows):
    found, same = data.columns(rows)
    assert same["dtype"] == "float32"
    assert [column["name"] for column in found][:4] == list(data.FIRST)
    assert found[1]["texts"]["slow-cpu-float32-1-" + SHAPE].startswith("1.567 (1.5")


def test_of_a_thousand_runs_the_newest_are_read(usual, monkeypatch):
    monkeypatch.setattr(data, "RUNS", 2)
    absent = [usual.with_name(f"{number}") for number in range(998)]
    content = _gather(*absent, usual, usual)
    assert (len(content["runs"]), content["older"]) == (2, 998)


def test_the_command_writes_a_page_even_without_a_number_or_one_sentence(tmp_path, capsys):
    file, target = journal(tmp_path / "r", passes=1), tmp_path / "report.html"
    part = _parts(file)["bars"]
    assert (part["sentence"], part["figure"]) == ("No way of writing the step got a time here.", None)
    assert main(["report", str(file.parent), "-o", str(target)]) == 0
    assert "<!doctype html>" in target.read_text()
    file.write_text(file.read_text().replace('"throughput_seconds"', '"other"', 1))
    capsys.readouterr()
    assert main(["report", str(file)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_missing_library_is_named_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    monkeypatch.delitem(sys.modules, "bench.show.page")
    monkeypatch.delattr("bench.show.page")
    with pytest.raises(UsageError, match=r"needs jinja2 of the extra `report`"):
        stored.report(None)
