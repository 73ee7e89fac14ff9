"""No cheat gets a number below the honest one, slows the baseline, or leaves a process behind."""

import contextlib
import os
from pathlib import Path

import psutil
import pytest

from bench.paths import BACKENDS, ROOT
from tests.bench.grading.conftest import grades_of

CHEATS = Path(__file__).parents[2] / "cheats"
HONEST = BACKENDS / "numpy_manual.py"
FILES = sorted(CHEATS.glob("[a-z]*.py"))


@pytest.fixture(scope="module")
def environ(tmp_path_factory):
    """With Numba, which measures the peak of arithmetic, and without the libraries that load long."""
    light = tmp_path_factory.mktemp("light")
    without = (ROOT / "tests" / "light" / "sitecustomize.py").read_text()
    (light / "sitecustomize.py").write_text(without.replace('"numba", ', ""))
    return {"PYTHONPATH": f"{light}{os.pathsep}{ROOT}", "STEPBENCH_TEST": str(light)}


@pytest.fixture(scope="module")
def regrade(environ):
    """Grades files; the rows are named by the path below their common folder."""

    def grade(files):
        return {Path(name).name: grade for name, grade in grades_of(files, environ, BENCH_TIMEOUT="30").items()}

    return grade


@pytest.fixture(scope="module")
def grades(regrade):
    return regrade([HONEST, *FILES])


def patient(holds, file, grade, regrade):
    """The grade of a file for which this holds: the one that is there, or one of two more, for an honest one may fail too.

    By chance, as one interval in 40 does, or in a busy moment; three failures fail.
    """
    failed = []
    while not holds(grade):
        failed.append(grade["sentence"])
        if len(failed) == 3 and "Not stopped" in file.read_text():
            pytest.xfail(f"docs/threats.md says so: {failed[0]}")
        assert len(failed) < 3, failed
        grade = regrade([file])[file.name]
    return grade


@pytest.mark.parametrize("file", [HONEST, *FILES], ids=lambda file: file.stem)
def test_a_cheat_has_no_number_or_none_below_the_honest_one(file, grades, regrade):
    grade = patient(lambda grade: grade.get("ratio_high", 1.0) >= 0.97, file, grades[file.name], regrade)
    assert ("ratio" in grade) == (grade["verdict"] == "right")
    assert grade["verdict"] in ("right", "wrong", "unusable")
    assert file != HONEST or grade["verdict"] == "right", grade["sentence"]


def baseline_seconds(grade):
    """0 for a cheat without a number, which slows nothing."""
    return grade["seconds_per_step"] / grade["ratio"] if grade["verdict"] == "right" else 0.0


@pytest.mark.parametrize("name", ["slows_rivals", "forks_on", "wakes_up"])
def test_the_baseline_takes_as_long_as_by_itself(name, grades, regrade):
    file, alone = CHEATS / f"{name}.py", baseline_seconds(grades[HONEST.name])
    assert alone > 0
    patient(lambda grade: baseline_seconds(grade) < 3 * alone, file, grades[file.name], regrade)


def test_what_computes_something_else_is_refused(grades):
    refused = {name for name, grade in grades.items() if grade["verdict"] != "right"}
    assert refused >= {f"{name}.py" for name in ("half_later", "extrapolates", "skips_rows")}


def test_no_process_is_left(grades, environ):
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid != os.getpid():
                assert process.environ().get("STEPBENCH_TEST") != environ["STEPBENCH_TEST"], process
