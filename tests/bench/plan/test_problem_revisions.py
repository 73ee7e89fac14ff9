"""`--against` with a problem folder of its own repository: each side has its ways, today's
problem.py judges both."""

import shutil
import subprocess
from dataclasses import replace

import pytest

from bench.errors import UsageError
from bench.measure.catalogue import catalogue
from bench.measure.conductor import prove
from bench.paths import BACKENDS, ROOT, SKELETON
from bench.plan.cases import make_plan
from bench.plan.revisions import against
from bench.plan.sides import Backend, Side
from bench.settings import Settings

RATE = '"learning_rate": 0.01'


def commit(repository, message):
    who = ("-c", "user.name=t", "-c", "user.email=t@t")
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", message]):
        subprocess.run(["git", "-C", str(repository), *command], check=True)


@pytest.fixture(params=["steps", "deep/down", "."])
def settings(request, tmp_path):
    """Of a folder somewhere in a repository; its first commit has an older way and problem."""
    folder = (tmp_path / "mine" / request.param).resolve()
    folder.mkdir(parents=True)
    for name in ("problem.py", "numpy_manual.py"):
        shutil.copy(SKELETON / name, folder)
    way = folder / "numpy_manual.py"
    now = way.read_text()
    way.write_text(
        now.replace("import numpy as np\n", "import numpy as np\nfrom _old import OLD\n")
    )
    (folder / "_old.py").write_text("OLD = 1\n")
    problem = (folder / "problem.py").read_text()
    (folder / "problem.py").write_text(problem.replace(RATE, '"learning_rate": 1'))
    commit(tmp_path / "mine", "one")
    way.write_text(now)
    (folder / "_old.py").unlink()
    (folder / "problem.py").write_text(problem)
    shutil.copy(way, folder / "newer.py")
    plain = replace(Settings.from_env({}), devices=("cpu",), problem=folder)
    return replace(plain, backends=("numpy_manual", "newer"))


def test_each_side_has_its_ways_and_todays_problem_judges_both(settings):
    with against("HEAD", settings) as sides:
        (then, here), present = catalogue(settings, sides)
        assert set(then.backends) == {*set(here.backends) - {"newer"}}
        assert "from _old import" in then.backends["numpy_manual"].source
        assert "from _old import" not in here.backends["numpy_manual"].source
        assert (then.problem / "problem.py").read_text() == (
            settings.problem / "problem.py"
        ).read_text()
        proofs = prove(make_plan(settings, (then, here), present))
    assert {key: proof["record"] for key, proof in proofs.items()} == {
        "numpy_manual-cpu-float32-1-256x100@HEAD": "open",
        "numpy_manual-cpu-float32-1-256x100@here": "open",
        "newer-cpu-float32-1-256x100@here": "open",
    }
    assert not then.problem.exists()
    assert here.facts["commit"] == then.facts["commit"] + "+dirty"


def test_what_git_does_not_have_is_one_sentence(settings, tmp_path):
    (tmp_path / "alone").mkdir()
    alone = replace(settings, problem=tmp_path / "alone")
    for revision, asked, expected in (
        ("nowhere", settings, "git has no backends of that revision: Needed a single revision"),
        ("HEAD", alone, "not a git repository"),
    ):
        with pytest.raises(UsageError, match=expected), against(revision, asked):
            pass


@pytest.mark.parametrize("name", ["backends", "examples/attention"])
def test_the_folders_of_this_checkout(name):
    if subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True
    ).returncode:
        pytest.skip("not a git checkout")
    settings = Settings.from_env({"BENCH_PROBLEM": name, "BENCH_DEVICES": "cpu"})
    with against("HEAD", settings) as (then, here):
        assert then.problem.name == name.rpartition("/")[2]
        assert (then.problem / "numpy_manual.py").is_file()
        assert then.folder == (ROOT if name != "backends" else then.problem.parent)
        assert (then.problem / "problem.py").resolve() == ROOT / name / "problem.py"
        assert here.problem is None


def test_a_folder_without_the_baseline_is_one_sentence(tmp_path):
    shutil.copy(SKELETON / "problem.py", tmp_path)
    settings = replace(Settings.from_env({}), problem=tmp_path, backends=("mine",))
    reasons = {"cpu": {"float32": None}}
    mine = Backend("mine", "/mine.py", "", "", "seed", None, ("numpy",), ("float32",), {}, reasons)
    sides = (Side(backends={"mine": mine}),)
    with pytest.raises(UsageError) as refused:
        make_plan(settings, sides, ("cpu",))
    assert str(refused.value) == (
        f"{tmp_path}: has no numpy_manual.py, which ratios refer to by default; write it, or set "
        "BENCH_BASELINE to one of mine."
    )
    plan = make_plan(replace(settings, baseline="mine"), sides, ("cpu",))
    assert [case.backend for case in plan.cases] == ["mine"]
    with pytest.raises(
        UsageError, match="BENCH_BASELINE: unknown backend 'mime'; did you mean mine"
    ):
        make_plan(replace(settings, baseline="mime"), sides, ("cpu",))


def test_the_default_problem_is_this_checkouts():
    assert Settings.from_env({}).problem_folder == BACKENDS
