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
    return {"PYTHONPATH": f"{light}{os.pathsep}{ROOT}", "STEPBENCH_TEST": "cheats"}


@pytest.fixture(scope="module")
def grades(environ):
    return grades_of([HONEST, *FILES], environ, BENCH_TIMEOUT="30")


@pytest.mark.parametrize("file", [HONEST, *FILES], ids=lambda file: file.stem)
def test_a_cheat_has_no_number_or_none_below_the_honest_one(file, grades, environ):
    grade, low = grades[file.name], []
    while grade.get("ratio_high", 1.0) < 0.97:  # so is one interval in 40 of an honest step
        low.append(grade["sentence"])
        if len(low) == 3 and "Not stopped" in file.read_text():
            pytest.xfail(f"docs/threats.md says so: {low[0]}")
        assert len(low) < 3, low
        grade = grades_of([file], environ)[file.name]
    assert ("ratio" in grade) == (grade["verdict"] == "right")
    assert grade["verdict"] in ("right", "wrong", "unusable")
    assert file != HONEST or grade["verdict"] == "right", grade["sentence"]


@pytest.mark.parametrize("name", ["slows_rivals.py", "forks_on.py", "wakes_up.py"])
def test_the_baseline_takes_as_long_as_by_itself(name, grades):
    alone = grades["numpy_manual.py"]["seconds_per_step"] / grades["numpy_manual.py"]["ratio"]
    if grades[name]["verdict"] == "right":
        assert grades[name]["seconds_per_step"] / grades[name]["ratio"] < 3 * alone


def test_what_computes_something_else_is_refused(grades):
    refused = {name for name, grade in grades.items() if grade["verdict"] != "right"}
    assert refused >= {f"{name}.py" for name in ("half_later", "extrapolates", "skips_rows")}


def test_no_process_is_left(grades):
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid != os.getpid():
                assert process.environ().get("STEPBENCH_TEST") != "cheats", process
