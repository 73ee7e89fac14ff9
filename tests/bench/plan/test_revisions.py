"""If these fail, a change is compared with another revision than the one named, or files remain."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.measure import executor
from bench.measure.catalogue import catalogue
from bench.paths import ROOT
from bench.plan import revisions as module
from bench.plan.cases import make_plan
from bench.plan.revisions import against, label
from bench.settings import Settings
from tests.support import read_csv

SETTINGS = replace(Settings.from_env({}), devices=("cpu",))
NEEDS_GIT = pytest.mark.skipif(
    subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True).returncode
    != 0,
    reason="not a git checkout",
)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A project whose one revision has a backend of its own, and numpy_manual with a family."""
    folder = tmp_path / "project"
    (folder / "backends").mkdir(parents=True)
    code = (ROOT / "backends" / "numpy_manual.py").read_text()
    older = code.replace(
        "import numpy as np\n", "import numpy as np\n\nfrom backends._family import DTYPES\n"
    )
    older = older.replace('    kind = "seed"\n', '    kind = "seed"\n    dtypes = DTYPES\n')
    files = {"_family": 'DTYPES = ("float32",)\n', "numpy_manual": older, "gone": older}
    files |= {"api": "1 / 0\n", "problem": "1 / 0\n"}
    for name, text in files.items():
        (folder / "backends" / f"{name}.py").write_text(text)
    for command in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "one"],
    ):
        subprocess.run(["git", "-C", str(folder), *command], check=True)
    monkeypatch.setattr(module, "ROOT", folder)
    return folder


def test_the_revision_brings_its_own_backends_and_their_family_but_not_the_contract(repository):
    with against("HEAD", SETTINGS) as sides:
        (then, here), present = catalogue(SETTINGS, sides)
    assert then.backends["numpy_manual"].dtypes == ("float32",)
    assert here.backends["numpy_manual"].dtypes == ("float32", "float64")
    assert then.backends["numpy_manual"].hash != here.backends["numpy_manual"].hash
    plan = make_plan(
        replace(SETTINGS, backends=("numpy_manual", "gone", "torch_manual")), (then, here), present
    )
    assert {str(hole.case): hole.reason for hole in plan.holes} == {
        "gone[cpu, float32, here]": "is not in here",
        "torch_manual[cpu, float32, HEAD]": "is not in HEAD",
    }
    assert [len(facts["commit"].removesuffix("+dirty")) for facts in (then.facts, here.facts)] == [
        40,
        40,
    ]


def test_nothing_stays_behind_when_a_run_is_cut_off(repository):
    def leave():
        with against("HEAD", SETTINGS) as (then, _):
            assert (then.folder / "backends" / "gone.py").exists()
            folders.append(then.folder)
            raise KeyboardInterrupt

    folders: list[Path] = []
    with pytest.raises(KeyboardInterrupt):
        leave()
    assert not folders[0].exists()


@pytest.mark.parametrize(
    ("revision", "shown"),
    [
        ("origin/main", "origin-main"), ("HEAD~3", "HEAD-3"), ("v1.0", "v1.0"), ("HEAD^", "HEAD"), ("here", "0123456789"),
        (":/", "0123456789"), ("f" * 40, "f" * 20),
    ],
)  # fmt: skip
def test_a_revision_is_named_in_safe_letters(revision, shown):
    assert label(revision, "0123456789abcdef") == shown


@pytest.mark.parametrize(
    ("text", "shown", "variables"),
    [
        ("OPENBLAS_CORETYPE=Haswell", "CORETYPE-Haswell", {"OPENBLAS_CORETYPE": "Haswell"}),
        ("label=+avx2,-avx512f,B_2=", "avx2--avx512f-B_2", {"label": "+avx2,-avx512f", "B_2": ""}),
        (
            "A=abcdefghijklmnopqrstuvwxyz",
            "ghijklmnopqrstuvwxyz",
            {"A": "abcdefghijklmnopqrstuvwxyz"},
        ),
        (
            "LD_PRELOAD=/usr/lib/libjemalloc.so.2",
            "lib-libjemalloc.so.2",
            {"LD_PRELOAD": "/usr/lib/libjemalloc.so.2"},
        ),
    ],
)
def test_variables_make_a_side_of_the_files_as_they_are(
    text, shown, variables, monkeypatch, tmp_path
):
    monkeypatch.setattr(module, "ROOT", tmp_path)  # no repository
    with against(text, SETTINGS) as (base, head):
        assert (base.label, base.variables, base.facts["variables"]) == (
            shown,
            variables,
            variables,
        )
        assert (head.label, head.variables) == ("here", {})
        monkeypatch.setattr(executor, "module_launch", lambda module, setup, env, python: env)
        theirs, ours = (executor.worker_launch(SETTINGS, side) for side in (base, head))
    assert variables.items() <= theirs.items()
    assert not variables.keys() & ours.keys()


@pytest.mark.parametrize(
    "name", ["BENCH_STEPS", "OMP_NUM_THREADS", "XLA_FLAGS", "PYTHONPATH", "MALLOC_TRIM_THRESHOLD_"]
)
def test_no_side_has_its_own_of_what_a_run_sets(name):
    with against("HOME=/", SETTINGS, f"A=b,{name}=1") as sides, pytest.raises(UsageError) as caught:
        catalogue(SETTINGS, sides)
    assert str(caught.value).startswith(
        f"{name}=1 (side {sides[1].label}): every run sets or removes {name}, alike for all"
    )


def test_what_cannot_be_had_is_one_sentence(repository, monkeypatch):
    def said(revision, settings=SETTINGS):
        with pytest.raises(UsageError) as caught, against(revision, settings):
            pass
        return str(caught.value)

    assert (
        "revision nowhere: git has no backends of that revision: Needed a single revision; name"
        in said("nowhere")
    )
    assert "revision --all: git has no" in said("--all")
    assert "BENCH_PYTHONS and --against" in said(
        "HEAD", replace(SETTINGS, pythons=(("a", "x"), ("b", "y")))
    )
    for command in (
        ["mv", "backends", "other"],
        ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "two"],
    ):
        subprocess.run(["git", "-C", str(repository), *command], check=True)
    assert "pathspec 'backends' did not match any files" in said("HEAD")
    monkeypatch.setattr(module, "ROOT", repository.parent)
    assert "not a git repository" in said("HEAD")
    monkeypatch.setenv("PATH", "")
    assert "revision HEAD: git cannot be started" in said("HEAD")


@NEEDS_GIT
def test_a_race_of_two_revisions(bench, environ):
    done = bench(
        "race", "HEAD", "HEAD", "--runs", "2", BENCH_BACKENDS="numpy_manual", BENCH_MARGIN="50%"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(Path(environ["BENCH_RESULTS"]).glob("*/*/summary.csv"))) == 2
    assert "run 2 of 2 at most: numpy_manual" in done.stdout
    refused = bench("race", BENCH_BACKENDS="numpy_manual")
    assert (refused.returncode, "needs two sides" in refused.stderr) == (2, True)


@NEEDS_GIT
def test_a_run_against_a_revision(bench, environ):
    done = bench("run", "--against", "HEAD", BENCH_BACKENDS="numpy_manual")
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = Path(environ["BENCH_RESULTS"]).glob("*/*")
    rows = read_csv(run / "summary.csv").set_index(["backend", "side"])
    assert rows.loc[("numpy_manual", "here"), "ratio"] > 0
    assert rows.loc[("numpy_manual", "here"), "baseline"].endswith("@HEAD")
    sides = json.loads((run / "environment.json").read_text())["sides"]
    assert sides["here"]["commit"].removesuffix("+dirty") == sides["HEAD"]["commit"]
    refused = bench("run", "--against", "no-such-revision")
    assert refused.returncode == 2
    assert refused.stderr.startswith("bench: revision no-such-revision: git has no")
    assert len(refused.stderr.splitlines()) == 1


@NEEDS_GIT
def test_ctrl_c_leaves_no_file_behind(environ, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    running = subprocess.Popen(
        [sys.executable, "-m", "bench", "run", "--against", "HEAD"], cwd=ROOT, stdout=subprocess.DEVNULL,
        env=environ | {"TMPDIR": str(scratch), "BENCH_BACKENDS": "numpy_manual", "BENCH_PROCESSES": "50"},
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while (
        not list(Path(environ["BENCH_RESULTS"]).rglob("journal.jsonl"))
        and time.monotonic() < deadline
    ):
        time.sleep(0.1)
    assert list(scratch.glob("stepbench-against-*"))
    running.send_signal(signal.SIGINT)
    assert running.wait(timeout=60) == 130
    assert not list(scratch.glob("stepbench-against-*"))
