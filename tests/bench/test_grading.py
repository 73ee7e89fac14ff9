"""If these fail, a course or a pull request gets a verdict that is not the step's, or none."""

import csv
import io
import json

import pytest

from bench.errors import ExitCode, UsageError
from bench.grading import grade as grading
from bench.grading import report, sandbox
from bench.paths import BACKENDS
from tests.support import LIGHT

RIGHT = (BACKENDS / "numpy_manual.py").read_text()


@pytest.fixture
def graded(bench, tmp_path):
    try:
        sandbox.prefix([])
    except UsageError as error:
        pytest.skip(str(error))

    def run(source, *options):
        (tmp_path / "ada.py").write_text(source)
        path = str(tmp_path / "ada.py")
        return bench("grade", path, *options, BENCH_PROCESSES="2", BENCH_BLOCKS="2", **LIGHT)

    return run


def test_a_right_step_gets_its_time_and_how_it_compares(graded):
    done = graded(RIGHT, "--format", "json")
    assert done.returncode == 0, done.stderr
    grade = json.loads(done.stdout)
    assert (grade["verdict"], grade["against"]) == ("right", "numpy_manual")
    low, high = grade["seconds_per_step_low"], grade["seconds_per_step_high"]
    assert low <= grade["seconds_per_step"] <= high


@pytest.mark.parametrize(
    ("source", "verdict", "says"),
    [
        (RIGHT.replace("2.0 *", "1.0 *").replace("2 *", "1 *"), "wrong", "factor 2"),
        ("def step(:\n", "unusable", "syntax error"),
        ("import numpy\n", "unusable", "has 0 concrete TrainStep classes"),
        (RIGHT + "\nimport library_of_nowhere\n", "unusable", "library_of_nowhere"),
        (RIGHT + "\nraise ValueError('not today')\n", "unusable", "ValueError: not today"),
    ],
    ids=["wrong", "no Python", "no backend", "no library", "raises"],
)
def test_any_other_file_is_wrong_or_unusable_and_the_sentence_says_why(
    source, verdict, says, graded
):
    done = graded(source)
    assert done.stdout.startswith(f"{verdict}: "), done.stdout + done.stderr
    assert says in done.stdout
    assert done.stdout.count("\n") == 1
    assert done.returncode == grading.EXIT_CODES[verdict]


def test_a_folder_is_graded_file_by_file(tmp_path):
    for name in ("b.py", "a.py", "_shared.py", "notes.txt"):
        (tmp_path / name).write_text("")
    assert [path.name for path in grading.find([tmp_path])] == ["a.py", "b.py"]
    assert grading.find([tmp_path / "_shared.py"]) == [tmp_path / "_shared.py"]


@pytest.mark.parametrize("name", ["nowhere.py", "notes.txt", "empty"])
def test_a_path_without_python_files_is_no_grade(name, tmp_path):
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=f"{name}: (no Python file there|holds no Python file)"):
        grading.find([tmp_path / name])


GRADES = [
    {
        "file": "a.py",
        "verdict": "right",
        "sentence": "fast.",
        "ratio": 0.5,
        "seconds_per_step": 1e-4,
    },
    {"file": "b.py", "verdict": "wrong", "sentence": "odd.", "ratio": float("nan")},
]


def test_each_format_has_every_verdict():
    text = report.as_text(GRADES).splitlines()
    assert [line.split()[:2] for line in text] == [["a.py", "right"], ["b.py", "wrong"]]
    assert report.as_text(GRADES[1:]) == "wrong: odd.\n"
    rows = list(csv.DictReader(io.StringIO(report.as_csv(GRADES))))
    assert [(row["file"], row["verdict"], row["ratio"]) for row in rows] == [
        ("a.py", "right", "0.5"),
        ("b.py", "wrong", ""),
    ]
    assert [grade["ratio"] for grade in json.loads(report.as_json(GRADES))] == [0.5, None]
    assert json.loads(report.as_json(GRADES[:1]))["verdict"] == "right"
    tests = json.loads(report.as_gradescope(GRADES))["tests"]
    assert [(test["score"], test["status"]) for test in tests] == [(1, "passed"), (0, "failed")]


def test_the_exit_code_is_that_of_the_worst_verdict():
    assert grading.exit_code(GRADES[:1]) == ExitCode.FINE
    assert grading.exit_code(GRADES) == ExitCode.WRONG
    assert grading.exit_code([*GRADES, {"verdict": "unusable"}]) == ExitCode.USAGE
