"""What several tests need: the command line in a process of its own, with settings small enough for a test."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import threadpoolctl

from bench.machine.resources import Machine
from tests.support import LIGHT, ROOT, clean_environ

SMALL = {"BENCH_PROCESSES": "2", "BENCH_BLOCKS": "1", "BENCH_STEPS": "3", "BENCH_DEVICES": "cpu"}
SMALL |= {"BENCH_SHAPES": "33x257x65x17"}
"""At a shape whose noisy runs take the judge no second."""
Runner = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """For NumPy in this process: several threads are slow on a busy machine."""
    with threadpoolctl.threadpool_limits(1):
        yield


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A clean environment that writes small runs to `tmp_path / "results"`."""
    return clean_environ() | SMALL | {"BENCH_RESULTS": str(tmp_path / "results"), "COLUMNS": "140"} | LIGHT


@pytest.fixture
def bench(environ: dict[str, str]) -> Runner:
    """`bench("list", BENCH_PATH=...)` runs `python -m bench list` with these settings added."""

    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return _run(["bench", *arguments], environ | settings)

    return run


@pytest.fixture
def run_pytest(environ: dict[str, str]) -> Runner:
    """`run_pytest("--benchmark-only", ...)` runs pytest in the project's root."""

    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return _run(["pytest", "-p", "no:cacheprovider", *arguments], environ | settings)

    return run


@pytest.fixture
def no_mask(tmp_path: Path) -> dict[str, str]:
    """The setting that makes `no_mask` known: every file of a folder is described in a process of its own."""
    for name in ("no_mask", "_right"):
        shutil.copy(ROOT / "tests" / "sabotaged" / f"{name}.py", tmp_path)
    return {"BENCH_PATH": str(tmp_path)}


@pytest.fixture
def machine(tmp_path: Path) -> Callable[[dict[str, str]], Machine]:
    """`machine({path: text})` has these files and two CPUs."""

    def build(files: dict[str, str]) -> Machine:
        for path, text in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text + "\n")
        return Machine(root=tmp_path, cpus=(0, 1), total_cpus=2)

    return build


def _run(arguments: list[str], environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=300
    )
