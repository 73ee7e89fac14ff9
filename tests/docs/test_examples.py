"""If these fail, a command or a piece of code in a page does not do what a reader who pastes it expects."""

import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import SMALL
from tests.support import clean_environ

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES.remove(ROOT / "docs" / "your-own-problem.md")  # test_own_problem.py has all of it
RUN = ROOT / "results" / "amd-epyc-family-26-model-2-2-cpus" / "20261123T020916Z"
"""One that the campaign beside it speaks for."""
PREPARED = {
    "comparing.md": {
        "results/MACHINE/RUN_A": "a",
        "results/MACHINE/RUN_B": "b",
        "main.csv": "a",
        "branch.csv": "b",
        "torch-2.11/run": "a",
        "torch-2.12/run": "b",
        "torch-2.13/run": "c",
    },
    "exporting.md": {"results/my-machine/20260102T030405Z": "a", "fresh": "a"},
}
"""Page → a folder or file that its examples take for granted → what the run in it, a copy, is called."""
NOT_RUN = {
    r"BENCH_DEVICES=cpu,cuda ": "needs a GPU",
    r"BENCH_BACKENDS=all ": "compiles for minutes",
    r"BENCH_RANKS=|BENCH_SHAPES=64x1000x100x10,128|torchrun ": "needs torch and two nodes; test_torch_ranks.py has them",
    r"asv |bencher run|cat \"\$RUNNER_TEMP\"": "belongs to another tool",
    r"python -m pip install|>-$": "installs",
    r"python -m bench run --against origin/main --fail-on": "as in the block above it; of two tiny runs one may well be slower",
    r"python -m bench run$": "as in other pages, with a setting that YAML gives",
    r"python -m bench scaling results --baseline": "the run that it would read there has one backend",
    r"(BENCH_PYTHONS=\S+ )?python -m bench race": "takes minutes; test_revisions.py has a short one",
    r"python -m bench fleet": "needs other machines; test_by_command.py has a fleet of processes",
    r"class ReLU": "an excerpt; test_side_by_side.py compares it with its file",
}
"""What is not executed (a pattern that begins there), and why. Commands of make are executed as --dry-run: they install."""
CODES = {"python -m bench doctor": (0, 1)}
"""Exit codes that are right, where 0 is not the only one: a virtual machine is always a bad instrument."""


def _blocks(page: Path) -> list[tuple[str, str]]:
    return re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(), re.M | re.S)


def _commands(page: Path) -> list[str]:
    """The lines of shell blocks and the commands of workflows, without comments."""
    lines = [line for kind, block in _blocks(page) if kind == "sh" for line in block.splitlines()]
    lines += [line for kind, block in _blocks(page) if kind == "yaml" for line in re.findall(r"run: (.*)", block)]
    return [text for line in lines if (text := re.sub(r"\s+# .*", "", line).strip())]


def _code(page: Path) -> list[str]:
    return [block for kind, block in _blocks(page) if kind == "python"]


def _is_run(text: str) -> bool:
    return not any(re.match(pattern, text) for pattern in NOT_RUN)


def _put_run(target: Path, name: str) -> None:
    """A copy of a run, or of its summary alone, under another name."""
    files = {target: RUN / "summary.csv"} if target.suffix == ".csv" else {target / file.name: file for file in RUN.iterdir()}
    for file, source in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source.read_text().replace(RUN.name, name))


@pytest.fixture
def checkout(tmp_path):
    """A copy of the project with a history of one commit, and of its steps those alone that need no more than NumPy: quick."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", ":!results", ":!tests"]
    for name in filter(None, subprocess.run(listed, cwd=ROOT, capture_output=True, text=True).stdout.split("\0")):
        text = (ROOT / name).read_text()
        is_step = name.startswith(("backends/", "bench/plan/controls/"))
        if not (is_step and re.search(r"^(import|from) .*(torch|jax|numba|cupy|triton)", text, re.M)):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for git in (
        ["init", "-q"],
        ["add", "-A"],
        [*who, "commit", "-qm", "all"],
        ["update-ref", "refs/remotes/origin/main", "HEAD"],
    ):
        subprocess.run(["git", *git], cwd=tmp_path, check=True)
    python = tmp_path / "bin" / "python"
    for link in (python, tmp_path / "venv" / "bin" / "python", tmp_path / "venv-old" / "bin" / "python"):
        link.parent.mkdir(parents=True)
        link.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
        link.chmod(link.stat().st_mode | stat.S_IXUSR)
    (python.parent / "pytest").write_text('#!/bin/sh\nexec python -m pytest -p no:cacheprovider "$@"\n')
    (python.parent / "pytest").chmod(python.stat().st_mode)
    shutil.copytree(RUN.parent, tmp_path / "results" / RUN.parent.name)
    return tmp_path


@pytest.mark.parametrize("page", [page for page in PAGES if _commands(page) or _code(page)], ids=lambda page: page.name)
def test_what_a_page_shows_can_be_pasted(page, checkout):
    """Line by line in a checkout of its own, as the reader would, with settings that take seconds."""
    for target, name in PREPARED.get(page.name, {}).items():
        _put_run(checkout / target, name)
    path = f"{checkout / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environ = clean_environ() | SMALL | {"BENCH_STEPS": "1", "BENCH_BACKENDS": "numpy_manual", "COLUMNS": "120", "PATH": path}
    for code in filter(_is_run, _code(page)):
        if name := re.search(r"^class (\w+)\(TrainStep\)", code, re.M):
            file = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name[1]).lower()
            (checkout / "backends" / f"{file}.py").write_text(code)
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code], cwd=checkout, env=environ, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    for line in filter(_is_run, _commands(page)):
        pasted = re.sub(r"^make ", "make --dry-run ", line)
        done = subprocess.run(["bash", "-c", pasted], cwd=checkout, env=environ, capture_output=True, text=True, timeout=120)
        assert done.returncode in CODES.get(line, (0,)), f"{line}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


def test_what_is_not_executed_still_stands_in_a_page():
    """A reason that nothing needs any more hides the next example that ought to be executed."""
    shown = [text for page in PAGES for text in (*_commands(page), *_code(page))]
    assert [pattern for pattern in NOT_RUN if not any(re.match(pattern, text) for text in shown)] == []
