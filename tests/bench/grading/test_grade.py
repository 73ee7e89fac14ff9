"""Files as people hand them in: each ends in a row with a verdict and a sentence that helps."""

import csv
import io
import json
import math

import pytest

from bench.errors import UsageError
from bench.grading import grade
from tests.bench.grading.conftest import RIGHT, grades_of

INIT = "        self.x = problem.x.astype(dtype)  # (N, D_in)\n"
STEP = "        # forward\n"
FILES = {
    # name: (text, verdict, part of the sentence)
    "ada_12_hw3-1.py": (RIGHT, "right", "times numpy_manual"),
    "my step (final).py": (RIGHT.replace(STEP, STEP + "        print('hello')\n"), "right", "a step"),
    "no_class.py": ("import numpy\n", "unusable", "has 0 concrete TrainStep classes"),
    "no_python.py": ("def step(:\n", "unusable", "no_python.py:1: syntax error"),
    "no_library.py": (RIGHT + "import nowhere\n", "unusable", "needs the library nowhere"),
    "raises.py": (RIGHT + "raise ValueError('no')\n", "unusable", "raised ValueError: no at rai"),
    "raises_at_first.py": (RIGHT.replace(INIT, INIT + "        raise KeyError('w3')\n"), "wrong",
                           "raised KeyError: 'w3' at raises_at_first.py:"),
    "raises_in_step.py": (RIGHT.replace(STEP, STEP + "        self.w3\n"), "wrong",
                          "object has no attribute 'w3' at raises_in_step.py:"),
    "exits_at_once.py": ("import os\nos._exit(3)\n", "unusable", "ended with exit code 3"),
    "hangs.py": (RIGHT.replace(STEP, "        while True:\n            pass\n"), "unusable",
                 "hung: no answer within 8 s (BENCH_TIMEOUT)"),
    "mean.py": (RIGHT.replace("** 2).sum()", "** 2).mean()"), "wrong", "a mean instead of a sum"),
    "doubled.py": (RIGHT.replace("2.0 *", "4.0 *"), "wrong", "2 times as far as it should"),
    "says_control.py": (RIGHT.replace('"seed"', '"peak"'), "unusable", "that of a control"),
}  # fmt: skip


@pytest.fixture(scope="module")
def grades(tmp_path_factory):
    folder = tmp_path_factory.mktemp("submissions")
    for name, (text, *_) in FILES.items():
        (folder / name).write_text(text)
    (folder / "_shared.py").write_text("raise SystemExit('not a submission')\n")
    return grades_of([folder], BENCH_BLOCKS="1", BENCH_TIMEOUT="8")


@pytest.mark.parametrize("name", FILES)
def test_a_file_ends_in_its_row(name, grades):
    _, verdict, sentence = FILES[name]
    assert (grades[name]["verdict"], sentence in grades[name]["sentence"]) == (verdict, True), (
        grades[name]
    )


def test_a_folder_has_a_row_a_file_and_the_worst_verdicts_exit_code(grades):
    assert [*grades] == sorted(FILES)
    assert grade.exit_code([*grades.values()]) == 2
    assert grade.exit_code([grades["my step (final).py"], grades["mean.py"]]) == 1


def test_links_and_equal_names_are_graded_as_they_are_named(tmp_path):
    paths = []
    for name in ("ada", "bob"):
        (tmp_path / name).mkdir()
        paths.append(tmp_path / name / "step.py")
    paths[0].write_text("import numpy\n")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "real.py").write_text("import elsewhere_only\n")
    paths[1].symlink_to(tmp_path / "elsewhere" / "real.py")
    grades = grades_of(paths)
    assert "has 0 concrete TrainStep classes" in grades["ada/step.py"]["sentence"]
    assert "needs the library elsewhere_only" in grades["bob/step.py"]["sentence"]


def test_what_is_no_python_file_is_named(tmp_path):
    (tmp_path / "_shared.py").write_text("")
    with pytest.raises(UsageError, match="no Python file there"):
        grade.find([tmp_path])
    with pytest.raises(UsageError, match=r"grade nowhere\.txt: no Python file there"):
        grade.find([grade.Path("nowhere.txt")])


GOOD = {
    "file": "ada.py", "verdict": "right", "sentence": "330 µs a step.", "ratio": 0.9,
    "seconds_per_step": 330e-6, "seconds_per_step_low": math.nan,
}  # fmt: skip
BAD = {"file": "bob, jr.py", "verdict": "wrong", "sentence": 'bob, jr.py raised "E".'}


def test_every_format_says_what_was_measured_and_leaves_out_what_was_not():
    text, table, several, course = (grade.FORMATS[form]([GOOD, BAD]) for form in ("text", "csv", "json", "gradescope"))
    assert text.splitlines() == [
        "ada.py      right     330 µs a step.",
        'bob, jr.py  wrong     bob, jr.py raised "E".',
    ]
    first, second = csv.DictReader(io.StringIO(table))
    assert [*first] == [*grade.COLUMNS]
    assert (first["seconds_per_step"], first["seconds_per_step_low"]) == ("0.00033", "")
    assert [second[name] for name in ("file", "sentence", "ratio")] == [BAD["file"], BAD["sentence"], ""]
    one = json.loads(grade.FORMATS["json"]([GOOD]))
    assert one == dict.fromkeys(grade.COLUMNS) | GOOD | {"seconds_per_step_low": None}
    assert json.loads(several) == [one, dict.fromkeys(grade.COLUMNS) | BAD]
    worth = {"max_score": 1.0}
    assert json.loads(course) == {
        "visibility": "visible",
        "tests": [
            {"name": "ada.py", "score": 1.0, "status": "passed", "output": GOOD["sentence"], **worth},
            {"name": "bob, jr.py", "score": 0.0, "status": "failed", "output": BAD["sentence"], **worth},
        ],
    }
