"""If these fail, a bisection names another commit than the one that made a way slower, or claims to know what it does not."""

import math
import re
import shutil
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace

import pytest
from rich.console import Console

from bench import racing
from bench.__main__ import main
from bench.analyse.verdicts import EQUAL, FASTER, SLOWER, UNDECIDED, Estimate, call
from bench.errors import ExitCode, UsageError
from bench.plan.revisions import between
from bench.plan.sides import Side
from bench.settings import Settings
from tests.proving import REGRESSION
from tests.support import LIGHT

SETTINGS = replace(Settings.from_env({}), backends=("a_way",))
NAMES = [f"c{number}" for number in range(17)]


def bisect(monkeypatch, factors, names=NAMES, error=0.001, refused=()):
    """Its exit code, what it said last, and the pairs that it raced; candidates take `factors` times as long as the first."""
    raced = []

    def race(way, sides, settings, runs, minutes, console):
        base, head = (names.index(side.label) for side in sides)
        raced.append((base, head))
        if head in refused:
            raise UsageError("it is not there.")
        estimate = Estimate(math.log(factors[head] / factors[base]), error, 30)
        return call(estimate, estimate.p, settings.margin), estimate, ""

    monkeypatch.setattr(racing, "_raced", race)
    subjects = {name: f"subject of {name}" for name in names}
    console = Console(width=400)
    with console.capture() as said:
        code = racing.bisect(subjects, lambda *pair: nullcontext([*map(Side, pair)]), SETTINGS, 12, 1, console)
    return code, said.get().splitlines(), raced


@pytest.mark.parametrize("first", range(1, 17))
def test_it_finds_the_commit_and_races_it_against_its_predecessor(first, monkeypatch):
    factors = [1 + 0.001 * (number % 2) if number < first else 1.03 for number in range(17)]
    code, (*_, found, sure), raced = bisect(monkeypatch, factors)
    assert (code, raced[0], raced[-1]) == (ExitCode.FINE, (0, 16), (first - 1, first))
    assert len(raced) <= 6
    assert found.startswith(f"Slower since c{first} (subject of c{first}): a_way +")
    assert "of 100 equal pairs it calls at most one SLOWER" in sure


@pytest.mark.parametrize("verdict", [EQUAL, FASTER, UNDECIDED])
def test_nothing_is_searched_where_nothing_is_slower(verdict, monkeypatch):
    error, factor = {EQUAL: (0.001, 1.0), FASTER: (0.001, 0.9), UNDECIDED: (0.1, 1.02)}[verdict]
    code, lines, raced = bisect(monkeypatch, [1.0] * 16 + [factor], error=error)
    assert (code, raced) == (ExitCode.UNPROVEN, [(0, 16)])
    assert lines[-1].startswith("Nothing to find: a_way ")
    assert f"at c16 over c0 is {verdict};" in lines[-1]


def test_what_cannot_be_measured_leaves_a_range(monkeypatch):
    code, lines, raced = bisect(monkeypatch, [1.0] * 8 + [1.05] * 9, refused={7, 8, 9})
    assert (code, raced[-1]) == (ExitCode.UNPROVEN, (6, 10))
    suspects = " or ".join(f"{name} (subject of {name})" for name in NAMES[7:11])
    assert lines[-1].startswith(f"Slower since {suspects} (no race could decide between these): a_way +5.0 %")
    assert "c8 is skipped: it is not there." in lines


def test_a_slow_drift_is_no_commits_fault(monkeypatch):
    code, lines, _ = bisect(monkeypatch, [1.002**number for number in range(17)], error=0.0001)
    assert code == ExitCode.UNPROVEN
    assert re.match(r"Slower since c\d+ \(subject of c\d+\), but the last race is EQUAL: a_way \+0.2 %", lines[-1])


@pytest.fixture
def repository(tmp_path):
    """A problem whose way waits from the fourth commit on; two commits change nothing that a side takes from a revision."""
    folder = tmp_path / "project" / "problem"
    shutil.copytree(REGRESSION, folder, ignore=lambda *_: {"torch_autograd.py", "__pycache__"})
    code, problem = ((folder / f"{name}.py").read_text() for name in ("numpy_manual", "problem"))
    slow = code.replace("import numpy", "import time\n\nimport numpy").replace(
        "def step(self)", "def step(self):\n        time.sleep(0.01)\n        return self.step_()\n\n    def step_(self)"
    )
    assert slow.count("time.sleep") == 1
    changes = [
        ("numpy_manual.py", code), ("problem.py", problem + "\n"), ("numpy_manual.py", code + "# 3\n"),
        ("numpy_manual.py", slow), ("../README.md", "about\n"), ("numpy_manual.py", slow + "# 6\n"),
    ]  # fmt: skip
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@t"]
    subprocess.run([*git, "init", "-q", "."], cwd=folder.parent, check=True)
    for number, (name, text) in enumerate(changes, 1):
        (folder / name).write_text(text)
        subprocess.run([*git, "add", "."], cwd=folder.parent, check=True)
        subprocess.run([*git, "commit", "-qm", f"commit {number}"], cwd=folder.parent, check=True)
        subprocess.run([*git, "tag", f"v{number}"], cwd=folder.parent, check=True)
    return folder


def test_only_commits_that_change_a_way_are_candidates(repository):
    settings = replace(SETTINGS, problem=repository)
    assert [*between("v1", "v6", settings).values()] == ["commit 1", "commit 3", "commit 4", "commit 6"]
    for good, bad, said in [
        ("v6", "v1", "bisect v6 v1: v1 does not descend from v6; name two that do"),
        ("v4", "v5", "bisect v4 v5: no commit between them changes problem/; name others."),
        ("v1", "v7", "revision v7: git has no backends of that revision: "),
    ]:
        with pytest.raises(UsageError) as caught:
            between(good, bad, settings)
        assert str(caught.value).startswith(said)


def test_the_command_names_the_commit_and_leaves_the_checkout_alone(repository, monkeypatch, capsys):
    """Sides and plans are real; no run is measured."""

    def state():
        return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in repository.parent.rglob("*") if path.is_file()}

    def decide(plan, runs, minutes, console):
        assert (plan.settings.baseline, runs, minutes) == ("numpy_manual", 12, 10)
        slow = ["time.sleep" in plan.backend(case).source for case in plan.cases]
        verdict, mean = (SLOWER, 1.0) if slow[1] > slow[0] else (EQUAL, 0.0)
        return {plan.cases[1].key: (verdict, Estimate(mean, 0.001, 5), 5)}, 5, ExitCode.FINE

    monkeypatch.setattr(racing, "decide", decide)
    for name, value in {"BENCH_PROBLEM": str(repository), "COLUMNS": "400", **LIGHT}.items():
        monkeypatch.setenv(name, value)
    before = state()
    assert main(["bisect", "v1", "v6", "--way", "numpy_manual"]) == ExitCode.FINE
    assert " (commit 4): numpy_manual +172 %" in capsys.readouterr().out.splitlines()[-2]
    assert state() == before
    here, there = (f"{label}={sys.executable}" for label in ("here", "there"))
    assert main(["bisect", "--pythons", f"{here},{there}", "--way", "numpy_manual"]) == ExitCode.UNPROVEN
    assert "at there over here is EQUAL" in capsys.readouterr().out
    for arguments, said in [(["v1"], "bisect: needs GOOD and BAD, two git"), (["v1", "v6", "--devices=cpu", "--shapes=7x3,8x3"],
                            "bisect --way numpy_manual: has the cases numpy_manual-cpu-float32-1-7x3")]:  # fmt: skip
        assert main(["bisect", *arguments, "--way", "numpy_manual"]) == ExitCode.USAGE
        assert said in capsys.readouterr().err
