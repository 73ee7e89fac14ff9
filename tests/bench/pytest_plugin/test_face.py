"""If these fail, the promise of `pytest --benchmark-only` is broken."""

import json
import math
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

import bench as bench_package
from bench.analyse.summaries import Run
from bench.schema.case import FIXED_WORK
from bench.schema.summary import SUMMARY
from tests.bench.pytest_plugin.made_run import seconds
from tests.conftest import SMALL
from tests.support import LIGHT, ROOT, clean_environ, read_csv

BROKEN = ROOT / "tests" / "broken"
FILES = {"journal.jsonl", "summary.csv", "samples.csv", "environment.json", "summary.md"}
SHAPES = ("7x13x5x3", "64x1000x100x10")
MADE = ("-p", "tests.bench.pytest_plugin.made_run")


def _pytest(folder, *arguments, **settings):
    """(what it printed, its JSON report, the run's folder)."""
    report = folder / "report.json"
    command = ["pytest", "-p", "no:cacheprovider", "--benchmark-only", f"--benchmark-json={report}"]
    done = subprocess.run(
        [sys.executable, "-m", *command, *arguments], cwd=ROOT, capture_output=True, text=True,
        env=clean_environ() | SMALL | {"BENCH_RESULTS": str(folder / "results")} | settings,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = (folder / "results").glob("*/*")
    return done.stdout, json.loads(report.read_text()), run


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A run as a user starts it, of two of the five usual ways."""
    folder = tmp_path_factory.mktemp("measured")
    saved = [f"--benchmark-storage={folder}/saved", "--benchmark-save=run"]
    grouped = "--benchmark-group-by=param:device"
    return _pytest(folder, *saved, grouped, COLUMNS="80", BENCH_BACKENDS="numpy_manual,torch_autograd"), folder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A made run of two backends with two shapes."""
    settings = {"BENCH_BACKENDS": "numpy_manual,numpy_buffers", "BENCH_SHAPES": ",".join(SHAPES)}
    folder = tmp_path_factory.mktemp("made")
    return _pytest(folder, *MADE, BENCH_BLOCKS="2", **settings, **LIGHT)


def test_the_report_of_a_made_run_has_its_rounds_groups_and_rows(made):
    printed, report, folder = made
    found = {(one["params"]["backend"], one["params"]["shape"]): one for one in report["benchmarks"]}
    names = ("numpy_manual", "numpy_buffers")
    assert {*found} == {(name, shape) for name in names for shape in SHAPES}
    run = Run.read(folder)
    for (name, shape), one in found.items():
        rounds = [seconds(name, number, block) for number in (0, 1) for block in (0, 1)]
        assert one["stats"]["data"] == pytest.approx(rounds, rel=1e-12)
        assert one["stats"]["rounds"] == len(rounds)
        assert one["group"] == f"float32, 1 threads, {shape}"
        row = run.row(f"{name}-cpu-float32-1-{shape}") | {"run": str(folder)}
        assert one["extra_info"] == row
    assert f"benchmark 'float32, 1 threads, {SHAPES[0]}': 2 tests" in printed
    assert "shape varies" in printed
    assert report["machine_info"]["node"] != platform.node()
    assert "hz_actual" not in report["machine_info"]["cpu"]


def test_a_measured_run_has_one_benchmark_per_case_every_file_and_our_table_last(measured):
    (printed, report, run), _ = measured
    passed = re.search(r"^=+ 2 passed in [\d.]+s( \([\d:]+\))? =+$", printed, re.M)
    assert passed, "own tests are not even collected"
    assert "benchmark 'device=cpu': 2 tests" in printed
    assert {one["params"]["backend"] for one in report["benchmarks"]} == {"numpy_manual", "torch_autograd"}
    samples = bench_package.load(run)
    for one in report["benchmarks"]:
        mine = samples[samples["backend"] == one["params"]["backend"]]
        assert one["stats"]["data"] == mine[mine["mode"] == "throughput"]["seconds_per_step"].tolist()
        assert 0 < one["extra_info"]["error_share"] <= 1
    assert {path.name for path in run.iterdir()} == FILES
    summary = read_csv(run / "summary.csv")
    assert [*summary.columns] == SUMMARY
    assert set(summary["kind"]) - {"peak"} == {"seed", "twin", "control", "guard"}
    assert len(read_csv(run / "samples.csv")) == len(summary) * 2 * 1 * 3  # passes, blocks, modes
    assert printed.index(" benchmark 'device=cpu'") < printed.rindex(" stepbench ")
    ours = printed[printed.index("= stepbench =") :].splitlines()[1:]
    start = next(place for place, line in enumerate(ours) if line.startswith("way "))
    assert max(len(line) for line in ours[start : start + 3]) <= 80
    assert "verdict" in ours[start]


def test_trackers_and_pytest_benchmark_itself_read_the_report(measured):
    """As extractPytestResult of github-action-benchmark and Bencher's python_pytest do."""
    (_, report, _), folder = measured
    assert {type(report[name]) for name in ("machine_info", "commit_info")} == {dict}
    for one in report["benchmarks"]:
        stats = one["stats"]
        assert 0 < len(one["fullname"]) <= 1024
        names = ("ops", "mean", "median", "stddev", "iqr")
        assert all(math.isfinite(stats[name]) for name in names)
        assert min(stats["ops"], stats["mean"], stats["median"]) > 0
    (saved,) = (folder / "saved").rglob("*_run.json")
    command = ["-m", "pytest_benchmark", "compare", str(saved), str(folder / "report.json")]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, cwd=folder)
    assert (done.returncode, done.stdout.count("test_train_step[numpy_manual")) == (0, 2)


def test_plain_pytest_proves_each_case_and_measures_nothing(run_pytest, environ, no_mask):
    done = run_pytest("bench", BENCH_BACKENDS="no_mask,numpy_manual", **no_mask)
    assert (done.returncode, "1 failed, 1 passed" in done.stdout) == (1, True), done.stdout
    assert "no_mask[cpu, float32] updates w1 wrongly" in done.stdout
    assert "stepbench: " not in done.stdout
    assert not Path(environ["BENCH_RESULTS"]).exists()


def test_k_selects_what_is_measured_and_the_baseline_comes_along(run_pytest, environ):
    chosen = {"BENCH_BACKENDS": "numpy_manual,numpy_buffers"}
    done = run_pytest("--benchmark-only", *MADE, "-k", "numpy_buffers", **chosen)
    assert done.returncode == 0, done.stdout
    (run,) = Path(environ["BENCH_RESULTS"]).glob("*/*")
    summary = read_csv(run / "summary.csv").set_index("backend")
    steps = set(summary.index[~summary["kind"].isin(FIXED_WORK)])
    assert steps == {"numpy_buffers", "numpy_manual", "twin"}
    assert {"null", "arithmetic"} < set(summary.index), "controls come with every selection"
    assert summary.loc["numpy_buffers", "ratio"] > 0


def test_a_failing_case_is_a_failed_test_and_is_not_saved(run_pytest, tmp_path):
    done = run_pytest(
        "--benchmark-only", f"--benchmark-json={tmp_path}/report.json", BENCH_PATH=str(BROKEN),
        BENCH_BACKENDS="raises,numpy_manual", BENCH_STEPS="20", BENCH_BLOCKS="3",
    )  # fmt: skip
    assert done.returncode == 1
    failures = done.stdout[done.stdout.index("= FAILURES =") :]
    assert "raises[cpu, float32] raised ValueError: no more steps" in failures
    assert "TypeError" not in done.stdout
    report = json.loads((tmp_path / "report.json").read_text())
    assert [one["params"]["backend"] for one in report["benchmarks"]] == ["numpy_manual"]


def test_a_missing_library_is_a_skip_unless_it_was_asked_for_by_name(run_pytest, tmp_path):
    for name in ("needs_it", "also_needs_it"):
        (tmp_path / f"{name}.py").write_text('import no_such_library\n\nclass A:\n    kind = "seed"\n')
    both = {"BENCH_PATH": str(tmp_path), "BENCH_BACKENDS": "seed,needs_it"}
    done = run_pytest("bench", "-rsf", "-k", "needs_it", **both)
    assert (done.returncode, "1 failed, 1 skipped" in done.stdout) == (1, True), done.stdout
    assert done.stdout.count("needs_it[cpu, float32] needs the library no_such_library, which is not installed.") >= 2


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"BENCH_STEPS": "101"}, "BENCH_STEPS=101: expected a whole number from 1 to 100."),
        ({"BENCH_DEVICES": "cuda:7"}, "BENCH_DEVICES=cuda:7: no such device here; name some of cpu"),
        ({"BENCH_RESULTS": "/proc/nowhere"}, "BENCH_RESULTS=/proc/nowhere: results cannot be written there:"),
    ],
    ids=["when configured", "when collected", "when started"],
)
def test_bad_usage_is_one_sentence_and_exit_code_4(setting, says, run_pytest, environ):
    done = run_pytest("--benchmark-only", **setting)
    assert done.returncode == 4
    (line,) = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("ERROR")]
    assert says in line
    assert not Path(environ["BENCH_RESULTS"]).exists(), "nothing may start"
