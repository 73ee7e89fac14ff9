"""If these fail, two interpreters are not measured as they say, or not in the same blocks."""

import json
import re
import subprocess
import sys
import venv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.analyse.summaries import Run
from bench.errors import UsageError
from bench.measure.catalogue import catalogue
from bench.settings import Settings
from tests.conftest import SMALL
from tests.support import read_csv

SHAPE = SMALL["BENCH_SHAPES"]
MADE = ("-p", "tests.bench.pytest_plugin.made_run")


@pytest.fixture
def old_python(tmp_path):
    """An interpreter with another version of NumPy."""
    venv.create(tmp_path / "old", symlinks=True)
    python = str(tmp_path / "old" / "bin" / "python")
    options = ["--python", python, "install", "--retries=0", "--timeout=10", "--quiet", "numpy==2.3.*", "threadpoolctl"]
    done = subprocess.run([sys.executable, "-m", "pip", *options], capture_output=True, text=True)
    if done.returncode and re.search("connection|resolve host|timed out|HTTP error", done.stderr, re.I):
        pytest.skip("pip has no network")
    assert done.returncode == 0, done.stderr
    return python


def test_two_interpreters_take_turns_in_every_block(bench, environ, old_python):
    setting, new = f"old={old_python},new={sys.executable}", np.__version__
    done = bench("run", BENCH_PYTHONS=setting, BENCH_BACKENDS="numpy_manual", BENCH_BLOCKS="2")
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = Path(environ["BENCH_RESULTS"]).glob("*/*")
    header, *records = map(json.loads, (run / "journal.jsonl").read_text().splitlines())
    rows = read_csv(run / "summary.csv").set_index(["backend", "side"])
    assert rows.loc[("numpy_manual", "old"), "versions"].startswith("numpy==2.3.")
    assert rows.loc[("numpy_manual", "new"), "versions"] == f"numpy=={new}"
    assert rows.loc[("numpy_manual", "new"), "ratio"] > 0
    assert rows.loc[("numpy_manual", "new"), "baseline"] == f"numpy_manual-cpu-float32-1-{SHAPE}@old"
    assert header["settings"]["pythons"] == setting.split(",")
    assert header["machine"]["sides"]["new"]["packages"]["numpy"] == new
    blocks = {}
    for visit in (record for record in records if record["record"] == "visit"):
        blocks.setdefault((visit["pass"], visit["block"]), set()).add(visit["case"])
    both = {f"numpy_manual-cpu-float32-1-{SHAPE}@{side}" for side in ("old", "new")}
    assert [both < visited for visited in blocks.values()] == [True] * 4


def test_pytest_names_the_side(run_pytest, tmp_path):
    report = tmp_path / "report.json"
    pythons = f"left={sys.executable},right={sys.executable}"
    settings = {"BENCH_PYTHONS": pythons, "BENCH_BACKENDS": "numpy_manual"}
    done = run_pytest("--benchmark-only", *MADE, "-k", "right", f"--benchmark-json={report}", **settings)
    assert "1 passed, 1 deselected" in done.stdout, done.stdout
    (found,) = json.loads(report.read_text())["benchmarks"]
    assert found["param"] == f"numpy_manual-cpu-float32-1-{SHAPE}@right"
    assert found["params"]["side"] == "right"
    assert found["extra_info"]["baseline"] == f"numpy_manual-cpu-float32-1-{SHAPE}@left"
    assert found["extra_info"]["ratio"] > 0


NEWER = "; name a Python 3.11 or newer"


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("missing", f"cannot run a worker: cannot be started: No such file or directory{NEWER}"),
        ("true", f"cannot run a worker: its process ended with exit code 0{NEWER}"),
        ("bare", "cannot run a worker: it lacks numpy and threadpoolctl; run `{path} -m pip install"),
    ],
)
def test_an_unfit_interpreter_is_one_sentence(kind, says, tmp_path):
    path = tmp_path / "bin" / "python"
    if kind == "bare":
        venv.create(tmp_path, symlinks=True)
    elif kind == "true":
        path.parent.mkdir()
        path.symlink_to("/bin/true")
    pythons = (("old", sys.executable), ("new", str(path)))
    with pytest.raises(UsageError) as caught:
        catalogue(replace(Settings.from_env({}), pythons=pythons))
    assert str(caught.value).startswith(f"{path} (side new): {says.format(path=path)}")


def test_only_a_later_side_that_is_slower_fails_a_gate():
    base = f"a-cpu-float32-1-{SHAPE}@old"
    first = {"status": "ok", "baseline": base, "side": "old", "verdict": "SLOWER", "ratio": 1.5}
    table = pd.DataFrame([first, first | {"side": "new", "ratio": 1.05}])
    assert [Run(Path(), None, table, []).exit_code(share) for share in (None, 0.0, 0.10)] == [0, 1, 0]
    assert Run(Path(), None, table[:1], []).exit_code(0.0) == 0
