"""If these fail, a command or code in a page does not do what a reader who pastes it expects."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap

import pytest

from bench.analyse.summaries import Run
from bench.paths import ROOT
from bench.show import folder
from tests.conftest import SMALL
from tests.made import PROBLEM, a_case, story, write
from tests.support import clean_environ

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES.remove(ROOT / "docs" / "your-own-problem.md")  # test_own_problem.py has all of it
NO_TORCH = str(ROOT / "tests" / "light")
"""For PYTHONPATH: no library that takes seconds to load."""
PREPARED = {
    "comparing.md": [
        "results/MACHINE/RUN_A", "results/MACHINE/RUN_B", "main.csv", "branch.csv",
        "torch-2.11/run", "torch-2.12/run", "torch-2.13/run", "results/my-machine/20260102T030405Z",
    ],
}  # fmt: skip
"""Page -> the folders and files of runs that its examples take for granted."""
NOT_RUN = {
    r"BENCH_DEVICES=cpu,cuda ": "needs a GPU",
    r"BENCH_BACKENDS=all ": "compiles for minutes",
    r"BENCH_THREADS=(1,)?2 |BENCH_SHAPES=64x1000x100x10,128": "measures torch for minutes",
    r"gh pr comment": "belongs to another tool",
    r"python -m bench bisect": "takes minutes; test_bisecting.py has one",
    r".venv/bin/python -m tools.contributing": "needs a committed machine; test_contributing.py has both",
    r"(BENCH_PYTHONS=\S+ )?python -m bench race": "takes minutes; test_revisions.py has one",
    r"python -m bench fleet": "needs other machines; tests/bench/fleet has processes",
    r"cd /autograder|.venv/bin/python -m bench grade /autograder": "a grader's container",
    r"python -m bench grade": "times five passes; tests/bench/grading grades folders",
    r"(python -m )?pip install": "would change the environment that runs the tests",
    r"class ReLU": "an excerpt; test_side_by_side.py compares it with its file",
}
"""What is not executed (a pattern that begins there), and why. make runs as --dry-run."""
CODES = {"python -m bench doctor": (0, 1)}
"""Exit codes that are right besides 0: a virtual machine is always a bad instrument."""


def _blocks(page):
    return re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(), re.M | re.S)


def _commands(page):
    """The lines of shell blocks and the commands of workflows, without comments."""
    lines = [line for kind, text in _blocks(page) if kind == "sh" for line in text.splitlines()]
    flows = (text for kind, text in _blocks(page) if kind == "yaml")
    lines += [line for text in flows for line in re.findall(r"run: (.*)", text)]
    return [text for line in lines if (text := re.sub(r"\s+# .*", "", line).strip())]


def _code(page):
    return [text for kind, text in _blocks(page) if kind == "python"]


def _is_run(text):
    return not any(re.match(pattern, text) for pattern in NOT_RUN)


def _put_run(target):
    """A made run in a new folder, or its summary alone where a file is wanted."""
    file = target.suffix == ".csv"
    place = target.parent / f"of {target.stem}" if file else target
    names = ("numpy_manual", "slow", "twin", "arithmetic", "peak_arithmetic", "null")
    base = "numpy_manual"
    proven = {"flops": PROBLEM.operations(PROBLEM.default), "baseline": a_case(base)["key"]}
    about = {base: proven, "slow": proven, "twin": {**proven, "backend": base}}
    cases = [a_case(name, **about.get(name, {})) for name in names]
    run = story(
        lambda name, number, _: (2e-4 if name == "slow" else 1e-4) * (1 + number % 5 / 1e4), 10,
        cases=cases, singly=True, run="-".join(target.parts[-2:]),
        settings={"processes": 10, "baseline": base},
    )  # fmt: skip
    folder.write(Run.read(write(run, place)))
    if file:
        shutil.move(place / "summary.csv", target)
        shutil.rmtree(place)


def _executable(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\nexec {text}\n")
    path.chmod(0o755)


@pytest.fixture
def checkout(tmp_path):
    """A copy of the project with one commit, and of its steps those that need only NumPy."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed += [":!results", ":!tests"]
    found = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True)
    heavy = re.compile(r"^(import|from) .*(torch|jax|numba|cupy|triton)", re.M)
    for name in filter(None, found.stdout.split("\0")):
        is_step = name.startswith(("backends/", "bench/plan/controls/")) and name.endswith(".py")
        if not (is_step and heavy.search((ROOT / name).read_text())):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, tmp_path / name)
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    main = ["update-ref", "refs/remotes/origin/main", "HEAD"]
    for git in (["init", "-q"], ["add", "-A"], [*who, "commit", "-qm", "all"], main):
        subprocess.run(["git", *git], cwd=tmp_path, check=True)
    for link in ("bin", "venv/bin", "venv-old/bin"):
        _executable(tmp_path / link / "python", f'{shlex.quote(sys.executable)} "$@"')
    _executable(tmp_path / "bin" / "pytest", 'python -m pytest -p no:cacheprovider "$@"')
    _put_run(tmp_path / "results" / "a-machine" / "20260101T000000Z")
    return tmp_path


@pytest.mark.parametrize(
    "page", [page for page in PAGES if _commands(page) or _code(page)], ids=lambda page: page.name
)
def test_what_a_page_shows_can_be_pasted(page, checkout):
    """Line by line, as a reader would, with settings that take seconds."""
    for target in PREPARED.get(page.name, ()):
        _put_run(checkout / target)
    environ = clean_environ() | SMALL | {"BENCH_STEPS": "1", "BENCH_BACKENDS": "numpy_manual"}
    environ |= {"COLUMNS": "120", "PATH": f"{checkout / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    options = {"cwd": checkout, "env": environ, "capture_output": True, "text": True}
    for code in filter(_is_run, _code(page)):
        if name := re.search(r"^class (\w+)\(TrainStep\)", code, re.M):
            file = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name[1]).lower()
            (checkout / "backends" / f"{file}.py").write_text(code)
        done = subprocess.run([sys.executable, "-W", "error", "-c", code], **options)
        assert done.returncode == 0, done.stderr
    for line in filter(_is_run, _commands(page)):
        pasted = re.sub(r"^make ", "make --dry-run ", line)
        environ["PYTHONPATH"] = "" if "bench history" in line else NO_TORCH  # ruptures' SciPy fails on a torch that is None
        done = subprocess.run(["bash", "-c", pasted], timeout=120, **options)
        printed = f"{line}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        assert done.returncode in CODES.get(line, (0,)), printed


ACTION = (ROOT / ".github" / "actions" / "stepbench" / "action.yml").read_text()


def _steps(values):
    """The action's steps: the variables of each, with values for its expressions, and its script."""
    for step in ACTION.split("    - name: ")[1:]:
        head, script = step.split("      run: |\n")
        text = re.sub(r"\$\{\{ (.*?) \}\}", lambda found: values[found[1]], head.partition("      env:\n")[2])
        yield {name: value.strip('"') for name, value in re.findall(r"^ {8}(\w+): (.*)$", text, re.M)}, textwrap.dedent(script)


def _act(checkout, **inputs):
    """Runs the action as GitHub does; its exit code, outputs, and what it printed and summed up."""
    values = {f"inputs.{name}": text for name, text in inputs.items()}
    values["github.base_ref || github.event.repository.default_branch"] = "main"
    files = {name: checkout / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    for variables, script in _steps(values):
        environ = clean_environ() | {"BENCH_STEPS": "1", "BENCH_DEVICES": "cpu", "PYTHONPATH": NO_TORCH} | variables
        environ |= {name: str(file) for name, file in files.items()}
        environ["GITHUB_ACTION_PATH"] = str(checkout / ".github" / "actions" / "stepbench")
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
        done = subprocess.run(command, cwd=checkout, env=environ, capture_output=True, text=True)
        if done.returncode:
            break
    texts = {name: path.read_text() if path.exists() else "" for name, path in files.items()}
    return done.returncode, texts["GITHUB_OUTPUT"], done.stdout + done.stderr, texts["GITHUB_STEP_SUMMARY"]


def _install(folder, python):
    """The environment that the action's first step finds up to date."""
    _executable(folder / ".venv" / "bin" / "python", python)
    (folder / ".venv" / ".ready").touch()
    (folder / ".github" / "actions" / "stepbench").mkdir(parents=True, exist_ok=True)


def test_the_action_races_the_checkout_against_its_base(checkout):
    _install(checkout, f'{shlex.quote(sys.executable)} "$@"')
    code, output, printed, summary = _act(checkout, way="numpy_manual", problem="backends", margin="90%", minutes="0.01")
    assert (code, output) == (0, "decided=\n"), printed
    assert "Of 1 ways after 1 runs: 1 UNDECIDED (numpy_manual" in printed
    assert "Of 1 ways after 1 runs" in summary


@pytest.mark.parametrize(
    ("ending", "code", "decided", "ends"),
    [
        ("Of 1 ways after 4 runs: 1 EQUAL (a +0.1 %).", 0, False, 0),
        ("Of 2 ways after 4 runs: 1 SLOWER (a +4.1 %), 1 EQUAL (b +0.1 %).", 1, True, 1),
        ("Of 1 ways after 4 runs: 1 FASTER (a -4.1 %).", 0, True, 0),
        ("UNPROVEN: the A/A control is SLOWER than its baseline; measure again.", 3, False, 0),
        ("bench: revision origin/main: git has no backends of that revision", 2, False, 2),
    ],
)
def test_the_action_tells_only_what_is_decided(ending, code, decided, ends, tmp_path):
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    _install(tmp_path, f"sh -c {shlex.quote(f'echo {shlex.quote(ending)}; exit {code}')}")
    ended, output, printed, summary = _act(tmp_path, way="a", problem="steps", margin="3%", minutes="1")
    assert (ended, output) == (ends, f"decided={ending if decided else ''}\n"), printed
    assert ending in summary


def test_what_is_not_executed_still_stands_in_a_page():
    """A reason that nothing needs hides the next example that ought to be executed."""
    shown = [text for page in PAGES for text in (*_commands(page), *_code(page))]
    unused = [pattern for pattern in NOT_RUN if not any(re.match(pattern, text) for text in shown)]
    assert unused == []
