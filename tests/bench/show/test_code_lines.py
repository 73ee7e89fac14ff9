"""If these fail, a line of code has another line's time, or a notebook another table than the terminal."""

import numpy as np
import pytest

import bench
from bench.analyse.summaries import Run
from bench.errors import UsageError
from bench.show import code_lines, grid
from tests.bench.show.page.made import HOSTILE, SOURCES
from tests.made import NAMES, a_case, story, write

OWN = '"""This one inherits."""\n\n\n\nclass Base(Other):\n    kind = "seed"\n'
SOURCE = """class Other:
    def step(self):
        # forward
        h = self.x @ self.w1
        # backward
        loss.backward()
        return h
"""
WHOLE = "class Slow:\n    def step(self):\n        return self.compiled(self.x)\n\n\ndef whole(x):\n    # update\n    x += 1\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A step of 300 µs whose lines took 360 under the profiler, in a file that inherits its step."""
    first = OWN.count("\n") + 2
    timed = {str(first + 4): 100e-6, str(first + 6): 258e-6, str(first + 7): 2e-6}
    cases = [a_case(name, source_hash=name) for name in NAMES]
    profiles = [
        {"record": "profile", "pass": 0, "case": "base", "lines": timed, "backward": {"Mm": 3e-4, "Add": 1e-4}},
        {"record": "profile", "pass": 0, "case": "slow", "lines": {"3": 5e-4}},
    ]  # fmt: skip
    sources = {"base": f"{OWN}\n\n{SOURCE}", "slow": WHOLE, "twin": ""}
    slower = {"slow": 4e-4}
    made = story(lambda name, *_: slower.get(name, 3e-4), 3, cases=cases, singly=True, extra=profiles,
                 sources=sources, settings={"processes": 3})  # fmt: skip
    return write(made, tmp_path_factory.mktemp("runs") / "m" / "r").parent


def test_lines_are_found_in_the_inherited_source_and_scaled_to_the_step(run):
    found = code_lines.of_way(Run.read(run), "base")
    timed = found.table.dropna()
    assert [*timed["code"].str.strip()] == ["h = self.x @ self.w1", "loss.backward()", "return h"]
    assert [*timed["seconds"]] == pytest.approx(np.array([100e-6, 258e-6, 2e-6]) / 1.2)
    assert [*timed["phase"]] == ["forward", "backward", "backward"]
    assert (found.added_up, found.queued) == (pytest.approx(1.2), False)
    assert found.backward == pytest.approx({"Mm": 0.75 * 215e-6, "Add": 0.25 * 215e-6})


def test_two_ways_stand_side_by_side_by_phase_with_what_they_call(run, capsys):
    steps = [code_lines.of_way(Run.read(run), way) for way in ("base", "slow")]
    code_lines.show(steps, grid.console(width=140))
    first, second, *rows = capsys.readouterr().out.splitlines()
    assert "300 µs a step. Its lines add up to 120% of it" in first
    assert ["One line is the step" in line for line in (first, second)] == [False, True]
    left, right = ([half.strip() for half in column] for column in zip(*(row.split("│") for row in rows), strict=True))
    assert left.index("# forward") + 1 == left.index("83.3 µs █▎     h = self.x @ self.w1")
    assert right[:2] == ["def step(self):", "400 µs ██████     return self.compiled(self.x)"]
    assert right.index("# update") == len(left) - 2
    code_lines.show(steps, grid.console(width=80))
    narrow = capsys.readouterr().out
    assert max(len(line) for line in narrow.splitlines() if line not in (first, second)) <= 80
    assert narrow.index(first) < narrow.index("loss.backward()") < narrow.index(second)


def test_code_has_phases_and_lacks_what_every_way_has():
    def numbers(name, more=""):
        found = {}
        for line in code_lines.code(SOURCES[name] + more):
            found.setdefault(line.phase, []).append(line.line)
        return found

    phases = {"forward": [6, 7], "loss": [8, 9], "backward": [10, 11], "update": [12, 13, 14]}
    assert numbers("base") == {"before": [5], **phases}
    assert numbers("base", "\n\ndef called(x):\n    return x\n") == {"before": [5], **phases, "after": [17, 18]}
    assert numbers("slow") == {"before": [3, 5, 6, 8], "forward": [9, 10], "update": [11, 12]}
    assert numbers("fast") == {"before": [1, 2]}


@pytest.mark.parametrize("source", ["def (", "", HOSTILE, "x = 1\n", "class A:\n    pass\n"])
def test_any_source_is_shown(source):
    assert [line.code for line in code_lines.code(source)] == source.splitlines()


def test_without_times_of_lines_it_says_what_is_missing(run):
    read = Run.read(run)
    read.story.profiles["base-cpu-float32-1-64x1000x100x10"].pop("lines")
    with pytest.raises(UsageError, match="no times of the lines of base"):
        code_lines.of_way(read, "base")
    with pytest.raises(UsageError, match="unknown way 'bas'; did you mean base"):
        code_lines.of_way(read, "bas")


def test_the_example_for_notebooks_works(run, monkeypatch):
    example = [line[4:] for line in bench.__doc__.splitlines() if line.startswith("    ")]
    (run.parents[1] / "results").symlink_to(run.parent)
    monkeypatch.chdir(run.parents[1])
    names = {}
    exec("\n".join(example), names)
    assert [*names["slowest"].dropna()["code"].str.strip()] == ["return self.compiled(self.x)"]
    assert set(names["rounds"]["run"]) == {"r"}
    table = names["table"]
    assert [*table.columns] == ["way", "step", "undisturbed", "ratio", "low", "high", "verdict", "as_it_ran"]
    assert [*table["way"]] == ["base", "slow"]
    assert [*table["step"]] == pytest.approx([3e-4, 4e-4])
    assert table["undisturbed"].all()
    assert len(names["rounds"].query("case == @table.index[0] and mode == 'throughput'")) == 9
