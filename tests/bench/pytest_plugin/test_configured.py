"""If these fail, pytest as people configure it measures something else, nothing, or twice."""

import re
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import pytest_plugin
from bench.paths import ROOT
from tests.support import LIGHT

ONLY, MADE = "--benchmark-only", ("-p", "tests.bench.pytest_plugin.made_run")
ASCII = {"PYTHONIOENCODING": "ascii"}
ONE = {"BENCH_BACKENDS": "numpy_manual"}
THEIRS = """
import pytest

@pytest.fixture(autouse=True, params=["sweet", "sour"])
def flavor(request):
    return request.param

@pytest.fixture(params=["left", "right"])
def outcome(request):
    return request.param
"""


@pytest.fixture
def theirs(tmp_path):
    """Makes known: a plugin with a parameter for each test."""
    (tmp_path / "theirs.py").write_text(THEIRS.rpartition("\n@")[0])
    return {"PYTHONPATH": f"{tmp_path}:{LIGHT['PYTHONPATH']}"}


def _config(**given):
    """A configuration with these options."""
    names = ("only", "enable", "skip", "disable", "columns", "cprofile", *pytest_plugin.NEEDS_MEASURING)
    options = {f"benchmark_{name}": None for name in names} | {"collectonly": False, **given}
    option = SimpleNamespace(**options)
    return SimpleNamespace(option=option, getoption=lambda name, default=None: options.get(name, default), stash={})


@pytest.mark.parametrize(
    ("given", "task"),
    [
        ("", "PROVE"), ("only", "MEASURE"), ("enable", "MEASURE"), ("skip", "NOTHING"),
        ("only skip", "MEASURE"), ("enable skip", "NOTHING"), ("enable disable", "MEASURE"),
    ],
)  # fmt: skip
def test_options_have_pytest_benchmarks_precedence(given, task):
    assert pytest_plugin._task(_config(**{f"benchmark_{name}": True for name in given.split()})).name == task


@pytest.mark.parametrize("option", ["collectonly", "setuponly"])
def test_what_runs_no_test_measures_nothing(option):
    assert pytest_plugin._task(_config(benchmark_only=True, **{option: True})).name == "NOTHING"


MEASURING = {"benchmark_only": True}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"benchmark_json": "x.json"}, "--benchmark-json needs measurements; add --benchmark-only to measure."),
        ({"benchmark_compare_fail": "min:5%"}, "--benchmark-compare-fail needs measurements; add --benchmark-only"),
        (MEASURING | {"benchmark_json": "/nowhere/x.json"}, "=/nowhere/x.json: no file can be written there; name"),
        (MEASURING | {"benchmark_json": "/tmp"}, "--benchmark-json=/tmp: no file can be written there; name"),
        (MEASURING | {"benchmark_histogram": True}, "--benchmark-histogram needs pygal; install"),
        (MEASURING | {"benchmark_compare_fail": "min:5%"}, "needs a run to compare with; add --benchmark-compare."),
        (MEASURING | {"benchmark_cprofile": "tottime"}, "--benchmark-cprofile sees no step, since workers run them; use"),
        ({"benchmark_enable": True, "dist": "load"}, "at once on the same cores; give -n 0"),
    ],
)
def test_options_that_would_spoil_a_run_are_refused_before_it(options, says, monkeypatch):
    monkeypatch.setattr(pytest_plugin.Settings, "from_env", lambda: None)
    with pytest.raises(pytest.UsageError, match=re.escape(says)):
        pytest_plugin.pytest_configure(_config(**options))


def test_without_pytest_benchmark_one_sentence_says_so():
    with pytest.raises(pytest.UsageError, match="pytest-benchmark, which is missing or switched off"):
        pytest_plugin.pytest_configure(SimpleNamespace(option=SimpleNamespace()))


def test_options_from_everywhere_spoil_no_measured_run(run_pytest, environ, theirs):
    addopts = "--benchmark-skip --benchmark-columns=max"
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": addopts} | ASCII
    plugins = ("-p", "pytest_benchmark.plugin", "-p", "theirs")
    done = run_pytest(ONLY, *MADE, *plugins, **theirs, **ONE, **alone)
    assert "2 passed" in done.stdout, done.stdout
    assert re.search(r"^Name \(time in ms\) +Max *$", done.stdout, re.M)
    assert re.search(r"^numpy_manual +[\d.]+ ms +1\.000 .*#$", done.stdout, re.M), done.stdout
    assert len([*Path(environ["BENCH_RESULTS"]).glob("*/*")]) == 1


def test_each_test_proves_its_case_whatever_its_id(run_pytest, tmp_path, theirs):
    folder = tmp_path / "ways"
    folder.mkdir()
    names = ["größe", unicodedata.normalize("NFD", "höhe")]
    for name in names:
        shutil.copy(ROOT / "backends" / "numpy_manual.py", folder / f"{name}.py")
    (tmp_path / "test_broken.py").write_text("import no_such_module")
    (tmp_path / "test_own.py").write_text(f"{THEIRS}\ndef test_own(outcome):\n    pass\n")
    files = ("bench", *map(str, sorted(tmp_path.glob("test_*.py"))))
    options = ("-p", "theirs", "--continue-on-collection-errors", f"--rootdir={ROOT}")
    mine = theirs | {"BENCH_PATH": str(folder), "BENCH_BACKENDS": ",".join(names)}
    done = run_pytest(*files, *options, **mine)
    assert "8 passed, 1 error" in done.stdout, done.stdout


def test_our_table_is_shown_although_pytest_benchmark_stops(run_pytest, tmp_path):
    storage = f"--benchmark-storage={tmp_path}/empty"
    failing = ("--benchmark-compare", "--benchmark-compare-fail=min:5%")
    done = run_pytest(ONLY, *MADE, storage, *failing, **ONE)
    assert "requires valid --benchmark-compare" in done.stderr
    assert "= stepbench =" in done.stdout


def test_a_checkout_below_another_projects_root_is_skipped(run_pytest, tmp_path):
    (tmp_path / "steps").mkdir()
    shutil.copy(ROOT / "conftest.py", tmp_path / "steps")
    (tmp_path / "steps" / "test_train_step.py").write_text("import nothing_of_theirs")
    (tmp_path / "test_theirs.py").write_text("def test_theirs():\n    pass\n")
    done = run_pytest("-rs", str(tmp_path), "--rootdir", str(tmp_path), "-c", "/dev/null")
    assert "1 passed, 1 skipped" in done.stdout, done.stdout
    assert "steps is below another project's root; run pytest in it." in done.stdout


def test_pyargs_of_the_environment_load_the_plugin_of_a_checkout(environ, tmp_path):
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q"]
    given = environ | ONE | {"PYTEST_ADDOPTS": "--pyargs bench"}
    done = subprocess.run(command, cwd=tmp_path, env=given, capture_output=True, text=True)
    assert "1 test collected" in done.stdout, done.stdout
