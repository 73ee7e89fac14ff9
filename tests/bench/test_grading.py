"""If these fail, a course or a pull request gets a verdict that is not the step's, or none."""

import json

import pytest

from bench.judge.proof import TOLERANCE
from bench.paths import BACKENDS
from tests.support import LIGHT

RIGHT = (BACKENDS / "numpy_manual.py").read_text()
SMALL = {"BENCH_PROCESSES": "2", "BENCH_BLOCKS": "2", **LIGHT}


@pytest.fixture
def graded(bench, tmp_path):
    def run(source, *options, name="ada", **settings):
        (tmp_path / f"{name}.py").write_text(source)
        (tmp_path / "nobody_else.py").write_text("raise SystemExit('not asked for')\n")
        return bench("grade", str(tmp_path / f"{name}.py"), *options, **{"BENCH_RESULTS": "", **SMALL, **settings})

    return run


def test_a_right_step_gets_its_time_and_what_it_is_compared_with(graded):
    done = graded(RIGHT, "--json")
    grade = json.loads(done.stdout)
    assert (grade["verdict"], done.returncode) == ("right", 0), done.stderr
    assert (grade["backend"], grade["against"], grade["device"], grade["dtype"]) == ("ada", "numpy_manual", "cpu", "float32")
    assert grade["seconds_per_step_low"] <= grade["seconds_per_step"] <= grade["seconds_per_step_high"]
    assert grade["error_w1"] < grade["tolerance"] == TOLERANCE["float32"]
    assert "beside numpy_manual" in grade["sentence"]
    assert "run" not in grade


def test_a_wrong_step_is_told_what_is_wrong_and_the_run_is_kept_where_asked(graded, tmp_path):
    done = graded(RIGHT.replace("2.0 *", "1.0 *").replace("2 *", "1 *"), BENCH_RESULTS=str(tmp_path / "kept"))
    assert done.stdout.startswith("wrong: ada[cpu, float32] updates w1 and w2 wrongly"), done.stdout + done.stderr
    assert done.stdout.count("\n") == 1
    assert done.returncode == 1
    assert list((tmp_path / "kept").rglob("journal.jsonl"))


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("def step(:\n", "syntax error"),
        ("import numpy\n", "has 0 concrete TrainStep classes"),
        (RIGHT + "\nimport library_of_nowhere\n", "needs the library library_of_nowhere"),
        (RIGHT + "\nraise ValueError('not today')\n", "raised ValueError: not today"),
    ],
    ids=["no Python", "no backend", "no library", "raises"],
)
def test_what_cannot_be_judged_is_unusable_and_says_why(source, says, graded):
    done = graded(source)
    assert done.stdout.startswith("unusable: "), done.stdout + done.stderr
    assert says in done.stdout
    assert done.returncode == 2


def test_a_file_that_is_not_there_is_nobodys_grade(bench):
    done = bench("grade", "nowhere.py")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "bench: grade nowhere.py: no file of Python there; name the file of one backend, such as submissions/ada.py.\n"
    )
