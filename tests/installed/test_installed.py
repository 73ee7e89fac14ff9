"""An installed stepbench works where there is nothing of ours, and leaves other tests alone."""

import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from bench.paths import ROOT
from stepbench_pytest import is_asked_for
from tests.conftest import SMALL
from tests.support import LIGHT, clean_environ

SOURCES = ("backends", "bench", "pyproject.toml", "README.md", "LICENSE", "stepbench_pytest.py")
BENCHMARK = """
def test_sum(benchmark):
    assert benchmark(sum, [1, 2]) == 3
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy: a build writes into its folder."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    subprocess.run(["cp", "-r", *(ROOT / name for name in SOURCES), source], check=True)
    options = ("--no-deps", "--no-build-isolation", "-q", "-w", folder)
    subprocess.run([sys.executable, "-m", "pip", "wheel", source, *options], check=True)
    (found,) = folder.glob("stepbench-*.whl")
    return found


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory) -> Path:
    """Of an environment with the wheel, and with the libraries of this one."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    place = next(folder.glob("lib/python*/site-packages"))
    (place / "zz_libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    options = ("--no-deps", "-q", "--target", place)
    subprocess.run([sys.executable, "-m", "pip", "install", *options, wheel], check=True)
    return folder / "bin" / "python"


@pytest.fixture
def run(python, tmp_path):
    """`run("-m", "pytest", ...)` in a folder with nothing of ours."""
    light, _ = LIGHT["PYTHONPATH"].split(os.pathsep)

    def start(*arguments: str, **variables: str) -> str:
        environ = clean_environ() | {"PYTHONPATH": light, "COLUMNS": "120"} | variables
        options = {"cwd": tmp_path, "env": environ, "capture_output": True, "text": True}
        done = subprocess.run([python, *arguments], timeout=300, **options)
        assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return start


def test_the_wheel_holds_what_a_run_needs(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    list_files = ["git", "ls-files", "backends", "bench"]
    listed = subprocess.run(list_files, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    present = {name for name in listed.stdout.split() if (ROOT / name).exists()}
    assert present - names == set()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if ".dist-info" not in top} == {
        "backends", "bench", "stepbench_pytest.py",
    }  # fmt: skip


def test_a_repository_of_ones_own(run, tmp_path):
    run("-m", "bench", "new", "steps")
    assert "bench" not in {path.name for path in tmp_path.iterdir()}
    settings = SMALL | {"BENCH_PROBLEM": "steps", "BENCH_BACKENDS": "numpy_manual"}
    table = run("-m", "bench", "run", **settings)
    assert re.search(r"^numpy_manual +\S+ [µm]s ", table, re.M)
    printed = run("-m", "pytest", "--benchmark-only", "--pyargs", "bench", **settings)
    assert "test_train_step[numpy_manual-cpu-float32-1-33x257x65x17]" in printed
    assert "1 passed" in printed
    assert len(list(tmp_path.glob("results/*/*/summary.csv"))) == 2
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["bench.pytest_plugin"]\n')
    variables = settings | {"PYTEST_ADDOPTS": "--pyargs bench"}
    twice = run("-m", "pytest", **variables)  # by entry point and conftest
    assert "1 passed" in twice


@pytest.mark.parametrize("variables", [{}, {"BENCH_PROBLEM": "steps", "BENCH_STEPS": "nonsense"}])
def test_other_suites_are_left_alone(run, tmp_path, variables):
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "__init__.py").write_text("")  # a package of this name, as people have
    (tmp_path / "bench" / "test_theirs.py").write_text(BENCHMARK)
    printed = run("-m", "pytest", "bench", **variables)
    assert re.search(r"^test_sum +\d", printed, re.M)  # timed by pytest-benchmark itself
    assert "stepbench ===" not in printed
    loaded = run("-m", "pytest", "bench", "--trace-config", **variables)
    assert "stepbench_pytest" in loaded
    assert "bench.pytest_plugin" not in loaded


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--pyargs", "bench"], True),
        (["--benchmark-only", "bench.test_train_step::test_train_step", "--pyargs"], True),
        (["bench"], False),
        (["--pyargs", "benchmarks"], False),
        ([], False),
    ],
)
def test_it_is_asked_for_by_name(arguments, expected):
    assert is_asked_for(arguments) is expected
