"""If these fail, two interpreters or two revisions are not measured as they say, or not in the same weather."""

import json
import re
import subprocess
import sys
import venv
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from bench.analyse import summaries
from bench.analyse.run import Run
from bench.errors import UsageError
from bench.measure.catalogue import catalogue
from bench.plan.cases import make_plan
from bench.plan.sides import Backend, Side
from bench.settings import Settings
from bench.show import tables
from tests.support import read_csv, story

SHAPE = "64x1000x100x10"
BASELINE = f"a-cpu-float32-1-{SHAPE}@old"


def _backend(name, kind="seed", missing=None):
    reasons = {"cpu": {"float32": None}}
    return Backend(name, f"/{name}.py", "", name, kind, missing, ("numpy",), ("float32",), {}, reasons)


def _plan(old, new, **changes):
    settings = replace(Settings.from_env({}), **{"baseline": "plain", **changes})
    sides = tuple(Side(label, backends={one.name: one for one in has}) for label, has in (("old", old), ("new", new)))
    return make_plan(settings, sides, ("cpu",))


BOTH = (_backend("plain"), _backend("slow"), _backend("null", "control"), _backend("work", "yardstick"))


def _short(case):
    return case and case.key.replace(f"-cpu-float32-1-{SHAPE}", "")


def test_every_case_stands_on_both_sides_and_controls_on_the_first():
    plan = _plan(BOTH, BOTH)
    assert [_short(case) for case in plan.cases] == ["plain@old", "plain@new", "slow@old", "slow@new"]
    assert [_short(case) for case in plan.controls] == ["twin@old", "null@old", "work@old"]
    assert [_short(case) for case in _plan(BOTH, BOTH, backends=("null",)).cases] == ["null@old"]


def test_the_baseline_of_a_later_side_is_the_same_backend_on_the_first():
    plan = _plan(BOTH, BOTH)
    assert {_short(case): _short(plan.baseline_of(case)) for case in plan.cases} == {
        "plain@old": "plain@old", "plain@new": "plain@old", "slow@old": "plain@old", "slow@new": "slow@old",
    }  # fmt: skip


def test_what_a_selected_case_is_compared_with_comes_along():
    plan = _plan(BOTH, BOTH)
    alone = plan.narrowed([case.key for case in plan.cases if _short(case) == "slow@new"])
    assert [_short(case) for case in alone.controls] == ["slow@old", "plain@old", "twin@old", "null@old", "work@old"]


def test_a_backend_of_one_side_is_a_hole_on_the_other():
    plan = _plan(BOTH, (*BOTH[:1], _backend("fresh"), _backend("slow", missing="jax")), backends=("seed", "fresh"))
    assert {_short(hole.case): (hole.reason, hole.asked_for) for hole in plan.holes} == {
        "slow@new": ("needs the library jax, which is not installed", False),
        "fresh@old": ("is not in old", False),
    }
    fresh = next(case for case in plan.cases if case.backend == "fresh")
    assert plan.baseline_of(fresh) is None
    assert str(fresh) == "fresh[cpu, float32, new]"


def test_the_baseline_has_to_be_on_the_first_side():
    with pytest.raises(UsageError, match="BENCH_BASELINE=plain@old: it is not in old"):
        _plan(BOTH[1:], BOTH)


def test_sides_never_share_a_process():
    plan = _plan(BOTH, BOTH)
    assert {plan.group(case) for case in plan.cases} == {"numpy on cpu, threads 1@old", "numpy on cpu, threads 1@new"}


def test_a_journal_without_sides_reads_as_before():
    assert set(summaries.summarise(story(lambda *_: 1e-4))["side"]) == {""}


def test_the_sides_of_a_backend_stand_next_to_each_other_and_the_legend_says_what_ratio_means():
    whole = story(lambda key, *_: {"base": 3e-4, "slow": 5e-4, "twin": 4e-4}[key])
    for case, (name, side) in zip(whole.header["cases"], (("a", "old"), ("a", "new"), ("b", "old")), strict=True):
        case |= {"backend": name, "name": name, "twin": False, "side": side, "kind": "seed", "baseline": BASELINE}
    lines = tables.markdown(summaries.summarise(whole)).splitlines()
    assert lines[0].endswith(f"{SHAPE} · side varies")
    assert [line.split(" | ")[:2] for line in lines[4:7]] == [["| a", "old"], ["| a", "new"], ["| b", "old"]]
    assert "ratio: time over that of a in the same block; ± and intervals: 95 %, in this run." in lines
    assert "ratio and verdict on new: beside the same backend on old." in lines


@pytest.fixture(scope="module")
def pythons(tmp_path_factory):
    """Two interpreters with different versions of NumPy: label → path."""
    found = {}
    for label, wanted in (("old", "numpy==2.3.*"), ("new", "numpy==2.4.*")):
        folder = tmp_path_factory.mktemp(label)
        venv.create(folder, symlinks=True)
        found[label] = folder / "bin" / "python"
        pip = [sys.executable, "-m", "pip", "--python", str(found[label]), "install", "--retries=0", "--timeout=10"]
        done = subprocess.run([*pip, "--quiet", wanted, "threadpoolctl"], capture_output=True, text=True)
        if re.search("connection|resolve host|timed out|HTTP error", done.stderr, re.I) and done.returncode:
            pytest.skip("pip has no network")
        assert done.returncode == 0, done.stderr
    return found


def _setting(pythons):
    return ",".join(f"{label}={path}" for label, path in pythons.items())


def _journal(environ):
    (run,) = Path(environ["BENCH_RESULTS"]).glob("*/*")
    return run, [json.loads(line) for line in (run / "journal.jsonl").read_text().splitlines()]


def test_two_interpreters_take_turns_in_every_block(bench, environ, pythons):
    done = bench("run", BENCH_PYTHONS=_setting(pythons), BENCH_BACKENDS="numpy_manual", BENCH_BLOCKS="2")
    assert done.returncode == 0, done.stdout + done.stderr
    run, (header, *records) = _journal(environ)
    rows = read_csv(run / "summary.csv").set_index(["backend", "side"])
    assert rows.loc[("numpy_manual", "old"), "versions"].startswith("numpy==2.3.")
    assert rows.loc[("numpy_manual", "new"), "versions"].startswith("numpy==2.4.")
    assert rows.loc[("numpy_manual", "new"), "ratio"] > 0
    assert rows.loc[("numpy_manual", "new"), "baseline"] == f"numpy_manual-cpu-float32-1-{SHAPE}@old"
    assert header["settings"]["pythons"] == _setting(pythons).split(",")
    assert [facts["packages"]["numpy"][:4] for facts in header["machine"]["sides"].values()] == ["2.3.", "2.4."]
    blocks = {}
    for visit in (record for record in records if record["record"] == "visit"):
        blocks.setdefault((visit["pass"], visit["block"]), []).append(visit["case"])
    assert len(blocks) == 4
    for visited in blocks.values():
        assert {f"numpy_manual-cpu-float32-1-{SHAPE}@{side}" for side in ("old", "new")} < set(visited)
    assert len({tuple(visited) for visited in blocks.values()}) > 1


def test_the_pytest_face_names_the_side(run_pytest, tmp_path):
    report = tmp_path / "report.json"
    settings = {"BENCH_PYTHONS": f"left={sys.executable},right={sys.executable}", "BENCH_BACKENDS": "numpy_manual"}
    done = run_pytest("--benchmark-only", "-k", "right", f"--benchmark-json={report}", **settings)
    assert "1 passed, 1 deselected" in done.stdout, done.stdout
    (found,) = json.loads(report.read_text())["benchmarks"]
    assert found["param"] == f"numpy_manual-cpu-float32-1-{SHAPE}@right"
    assert found["params"]["side"] == "right"
    assert found["extra_info"]["baseline"] == f"numpy_manual-cpu-float32-1-{SHAPE}@left"
    assert found["extra_info"]["ratio"] > 0


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("missing", "{path} (side new): cannot be started: No such file or directory; name a Python 3.11 or newer"),
        ("text", "{path} (side new): cannot be started: Permission denied; name a Python 3.11 or newer"),
        ("true", "{path} (side new): cannot run a worker: its process ended with exit code 0; name a Python 3.11 or newer"),
        ("bare", "{path} (side new): lacks numpy and threadpoolctl, which every worker needs; "
                 "run `{path} -m pip install numpy threadpoolctl`."),
    ],
)  # fmt: skip
def test_an_unfit_interpreter_is_one_sentence(kind, says, tmp_path):
    path = tmp_path / "bin" / "python"
    if kind == "bare":
        venv.create(tmp_path, symlinks=True)
    elif kind != "missing":
        path.parent.mkdir()
        path.write_text("#!/bin/sh\nexit 0\n")
        path.chmod(0o755 if kind == "true" else 0o644)
    with pytest.raises(UsageError) as caught:
        catalogue(replace(Settings.from_env({}), pythons=(("old", sys.executable), ("new", str(path)))))
    assert str(caught.value).startswith(says.format(path=path))


@pytest.mark.parametrize(
    ("changes", "fail_on", "doubts", "code"),
    [
        ({}, None, [], 0),
        ({}, 0.0, [], 1),
        ({}, 0.10, [], 0),
        ({"side": "old"}, 0.0, [], 0),
        ({"verdict": "UNDECIDED"}, 0.0, [], 0),
        ({}, 0.0, ["UNPROVEN"], 3),
        ({}, None, ["UNPROVEN"], 0),
        ({"status": "wrong"}, 0.10, ["UNPROVEN"], 1),
    ],
)
def test_what_a_gate_on_two_sides_lets_through(changes, fail_on, doubts, code):
    """Only a later side can be too slow; a wrong step stops the gate whatever is asked."""
    first = {"status": "ok", "baseline": BASELINE, "side": "old", "verdict": "SLOWER", "ratio": 1.5}
    table = pd.DataFrame([first, first | {"side": "new", "ratio": 1.05} | changes])
    assert Run(Path(), None, table, doubts).exit_code(fail_on) == code
