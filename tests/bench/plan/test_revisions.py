"""If these fail, a change is compared with another revision than the one named, or files remain.

Each side has its own ways; today's problem.py and api.py judge both.
"""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.measure import executor
from bench.measure.catalogue import catalogue
from bench.measure.conductor import prove
from bench.paths import ROOT
from bench.plan import revisions as module
from bench.plan.cases import make_plan
from bench.plan.revisions import against, label
from bench.settings import Settings
from tests.proving import REGRESSION
from tests.support import read_csv

SETTINGS = replace(Settings.from_env({}), devices=("cpu",))
NEEDS_GIT = pytest.mark.skipif(
    subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True).returncode != 0,
    reason="not a git checkout",
)


def _commit(repository, *before):
    """Commits everything, after these commands."""
    who = ("-c", "user.name=t", "-c", "user.email=t@t")
    for command in (*before, ["add", "."], [*who, "commit", "-qm", "one"]):
        subprocess.run(["git", "-C", str(repository), *command], check=True)


def _refusal(*arguments):
    with pytest.raises(UsageError) as caught, against(*arguments):
        pass
    return str(caught.value)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A project whose one revision has a backend of its own, and numpy_manual with a family."""
    folder = tmp_path / "project"
    (folder / "backends").mkdir(parents=True)
    code = (ROOT / "backends" / "numpy_manual.py").read_text()
    older = code.replace("import numpy as np\n", "import numpy as np\n\nfrom backends._family import DTYPES\n")
    older = older.replace('    kind = "seed"\n', '    kind = "seed"\n    dtypes = DTYPES\n')
    files = {"_family": 'DTYPES = ("float32",)\n', "numpy_manual": older, "gone": older}
    files |= {"api": "1 / 0\n", "problem": "1 / 0\n"}
    for name, text in files.items():
        (folder / "backends" / f"{name}.py").write_text(text)
    _commit(folder, ["init", "-q"])
    monkeypatch.setattr(module, "ROOT", folder)
    return folder


def test_the_revision_brings_its_own_backends_and_their_family_but_not_the_contract(repository):
    with against("HEAD", SETTINGS) as sides:
        (then, here), present = catalogue(SETTINGS, sides)
    assert then.backends["numpy_manual"].dtypes == ("float32",)
    assert here.backends["numpy_manual"].dtypes == ("float32", "float64")
    assert then.backends["numpy_manual"].hash != here.backends["numpy_manual"].hash
    plan = make_plan(replace(SETTINGS, backends=("numpy_manual", "gone", "torch_manual")), (then, here), present)
    assert {str(hole.case): hole.reason for hole in plan.holes} == {
        "gone[cpu, float32, here]": "is not in here",
        "torch_manual[cpu, float32, HEAD]": "is not in HEAD",
    }
    assert [len(facts["commit"].removesuffix("+dirty")) for facts in (then.facts, here.facts)] == [40, 40]


@pytest.fixture(params=["deep/down", "."])
def settings(request, tmp_path):
    """Of a problem's folder somewhere in a repository of its own; its first commit has an older way and problem."""
    folder = (tmp_path / "mine" / request.param).resolve()
    folder.mkdir(parents=True)
    way, problem, shared = (folder / name for name in ("numpy_manual.py", "problem.py", "_old.py"))
    now, rate = (REGRESSION / way.name).read_text(), '"learning_rate": 0.01'
    way.write_text(now.replace("import numpy as np\n", "import numpy as np\nfrom _old import OLD\n"))
    shared.write_text("OLD = 1\n")
    problem.write_text((REGRESSION / problem.name).read_text().replace(rate, '"learning_rate": 1'))
    _commit(tmp_path / "mine", ["init", "-q"])
    shared.unlink()
    for name in ("newer.py", way.name):
        (folder / name).write_text(now)
    shutil.copy(REGRESSION / problem.name, folder)
    return replace(SETTINGS, problem=folder, backends=("numpy_manual", "newer"))


def test_each_side_of_a_problem_has_its_ways_and_todays_problem_judges_both(settings):
    with against("HEAD", settings) as sides:
        (then, here), present = catalogue(settings, sides)
        assert {*then.backends} == {*here.backends} - {"newer"}
        imports = ["from _old import" in side.backends["numpy_manual"].source for side in (then, here)]
        assert imports == [True, False]
        assert (then.problem / "problem.py").read_text() == (settings.problem / "problem.py").read_text()
        assert (then.folder, here.folder, here.problem) == (ROOT, ROOT, None)
        proofs = prove(make_plan(settings, (then, here), present))
    assert {key: proof["record"] for key, proof in proofs.items()} == {
        "numpy_manual-cpu-float32-1-256x100@HEAD": "open",
        "numpy_manual-cpu-float32-1-256x100@here": "open",
        "newer-cpu-float32-1-256x100@here": "open",
    }
    assert not then.problem.exists()
    assert here.facts["commit"] == then.facts["commit"] + "+dirty"


@pytest.mark.parametrize(
    ("revision", "shown"),
    [("origin/main", "origin-main"), ("HEAD^", "HEAD"), ("here", "0123456789"), (":/", "0123456789"), ("f" * 40, "f" * 20)],
)
def test_a_revision_is_named_in_safe_letters(revision, shown):
    assert label(revision, "0123456789abcdef") == shown


@pytest.mark.parametrize(
    ("text", "shown", "variables"),
    [
        ("OPENBLAS_CORETYPE=Haswell", "LAS_CORETYPE-Haswell", {"OPENBLAS_CORETYPE": "Haswell"}),
        ("label=+avx2,-avx512f,B_2=", "el-avx2--avx512f-B_2", {"label": "+avx2,-avx512f", "B_2": ""}),
        ("A=abcdefghijklmnopqrstuvwxyz", "ghijklmnopqrstuvwxyz", {"A": "abcdefghijklmnopqrstuvwxyz"}),
        ("LD_PRELOAD=/usr/lib/libjemalloc.so.2", "lib-libjemalloc.so.2", {"LD_PRELOAD": "/usr/lib/libjemalloc.so.2"}),
    ],
)
def test_variables_make_a_side_of_the_files_as_they_are(text, shown, variables, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "ROOT", tmp_path)  # no repository
    with against(text, SETTINGS) as (base, head):
        assert (base.label, base.variables, base.facts["variables"]) == (shown, variables, variables)
        assert (head.label, head.variables) == ("here", {})
        monkeypatch.setattr(executor, "module_launch", lambda module, setup, env, python: env)
        theirs, ours = (executor.worker_launch(SETTINGS, side) for side in (base, head))
    assert variables.items() <= theirs.items()
    assert not variables.keys() & ours.keys()


@pytest.mark.parametrize("name", ["BENCH_STEPS", "OMP_NUM_THREADS"])
def test_no_side_has_its_own_of_what_a_run_sets(name):
    with against("HOME=/", SETTINGS, f"A=b,{name}=1") as sides, pytest.raises(UsageError) as caught:
        catalogue(SETTINGS, sides)
    assert str(caught.value).startswith(f"{name}=1 (side {sides[1].label}): every run sets or removes {name}, alike for all")


def test_what_cannot_be_had_is_one_sentence(repository, monkeypatch, tmp_path):
    lost = "revision nowhere: git has no backends of that revision: Needed a single revision; name"
    assert lost in _refusal("nowhere", SETTINGS)
    assert "revision --all: git has no" in _refusal("--all", SETTINGS)
    assert "BENCH_PYTHONS and --against" in _refusal("HEAD", replace(SETTINGS, pythons=(("a", "x"), ("b", "y"))))
    assert "not a git repository" in _refusal("HEAD", replace(SETTINGS, problem=tmp_path))
    _commit(repository, ["mv", "backends", "other"])
    assert lost in _refusal("nowhere", replace(SETTINGS, problem=repository / "other"))
    assert "pathspec 'backends' did not match any files" in _refusal("HEAD", SETTINGS)
    monkeypatch.setattr(module, "ROOT", repository.parent)
    assert "not a git repository" in _refusal("HEAD", SETTINGS)
    monkeypatch.setenv("PATH", "")
    assert "git cannot be started" in _refusal("HEAD", SETTINGS)


@NEEDS_GIT
def test_a_race_of_two_revisions(bench, environ):
    done = bench("race", "HEAD", "HEAD", "--runs", "2", BENCH_BACKENDS="numpy_manual", BENCH_MARGIN="50%")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "run 2 of 2 at most: 1 " in done.stdout
    tables = [*Path(environ["BENCH_RESULTS"]).glob("*/*/summary.csv")]
    assert len(tables) == 2
    row = read_csv(tables[0]).set_index(["backend", "side"]).loc[("numpy_manual", "HEAD-again")]
    assert (row["ratio"] > 0, row["baseline"].partition("@")[2]) == (True, "HEAD")
    sides = json.loads((tables[0].parent / "environment.json").read_text())["sides"]
    assert [*sides] == ["HEAD", "HEAD-again"]
    assert len({facts["commit"] for facts in sides.values()}) == 1
    refused = bench("race", BENCH_BACKENDS="numpy_manual")
    assert (refused.returncode, "needs two sides" in refused.stderr) == (2, True)
