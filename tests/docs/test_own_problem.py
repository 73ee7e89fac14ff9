"""Everything that docs/your-own-problem.md shows works, in a folder with nothing of ours."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from bench.paths import ROOT
from tests.conftest import SMALL
from tests.support import LIGHT, clean_environ

PAGE = (ROOT / "docs" / "your-own-problem.md").read_text()
PROBLEM, WAY = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
(COMMANDS,) = re.findall(r"^```sh\n(.*?)^```", PAGE, re.M | re.S)


@pytest.fixture
def paste(tmp_path):
    """Runs a line of the page and returns what it printed."""
    (tmp_path / "python").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -P "$@"\n')
    (tmp_path / "python").chmod(0o755)
    environ = clean_environ() | SMALL | {"PYTHONPATH": str(ROOT), "COLUMNS": "120"}
    environ["PATH"] = f"{tmp_path}:{environ['PATH']}"

    def run(line: str, **variables: str) -> str:
        options = {"cwd": tmp_path, "env": environ | variables, "capture_output": True, "text": True}
        done = subprocess.run(line, shell=True, timeout=300, **options)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run


def lines() -> list[str]:
    return [line.partition("#")[0].strip() for line in COMMANDS.splitlines()]


def test_the_commands_lead_from_nothing_to_a_table(paste, tmp_path):
    new, verify, run = lines()
    assert paste(new).splitlines()[-1] == f"next: {verify}"
    assert re.search(r"^numpy_manual .*\n^torch_autograd ", paste(verify), re.M)
    assert re.search(r"^numpy_manual +[\d.]+ [µm]s.* 1\.000 ", paste(run, **LIGHT), re.M)


def test_the_problem_and_the_way_are_right(paste, tmp_path: Path):
    new, verify, run = lines()
    paste(new)
    for name, code in (("problem", PROBLEM), ("numpy_manual", WAY)):
        (tmp_path / "steps" / f"{name}.py").write_text(code)
    (tmp_path / "steps" / "torch_autograd.py").unlink()
    (tmp_path / "steps" / "mistakes.py").unlink()
    printed = paste(f"BENCH_SHAPES= BENCH_DTYPES=float32,float64 {verify}", **LIGHT)
    assert len(re.findall(r"^numpy_manual .* \d+% *$", printed, re.M)) == 2
    assert "256x100" in paste(f"BENCH_SHAPES= {run}", **LIGHT)


def test_a_folder_that_exists_is_left_alone(paste, tmp_path):
    (tmp_path / "steps").mkdir()
    with pytest.raises(
        AssertionError, match="bench: new steps: cannot be made: File exists; name a new folder"
    ):
        paste(lines()[0])
    assert not list((tmp_path / "steps").iterdir())
