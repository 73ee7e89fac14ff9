"""The pytest-benchmark face, end to end: if these fail, the promise of `pytest --benchmark-only` is broken."""

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

import bench as bench_package
from bench.schema.case import FIXED_WORK
from tests.support import EVERYTHING, clean_environ, read_csv

BROKEN = Path(__file__).parents[2] / "broken"
ROOT = BROKEN.parent.parent
SUMMARY_BEGINS = [
    "backend", "device", "dtype", "threads", "N", "D_in", "H", "D_out", "status", "reason",
    "seconds_per_step", "seconds_per_step_low", "seconds_per_step_high", "ratio", "ratio_low", "ratio_high",
]  # fmt: skip


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """One run as a user starts it: (what it printed, its JSON report, its results folder)."""
    folder = tmp_path_factory.mktemp("face")
    settings = {"BENCH_PROCESSES": "2", "BENCH_BLOCKS": "2", "BENCH_STEPS": "5", "BENCH_DEVICES": "cpu"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--benchmark-only", f"--benchmark-json={folder}/report.json",
         f"--benchmark-storage={folder}/saved", "--benchmark-save=run", "--benchmark-group-by=param:device"],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
        env=clean_environ() | settings | {"BENCH_RESULTS": f"{folder}/results", "COLUMNS": "80"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, json.loads((folder / "report.json").read_text()), folder


def test_one_benchmark_per_case_with_real_rounds(measured):
    printed, report, folder = measured
    assert re.search(r"^=+ 5 passed in [\d.]+s( \([\d:]+\))? =+$", printed, re.M), "own tests are not even collected"
    names = {b["params"]["backend"] for b in report["benchmarks"]}
    assert names == {"numpy_manual", "torch_manual", "torch_autograd", "torch_detach", "torch_function"}
    samples = bench_package.load(folder / "results")
    for one in report["benchmarks"]:
        mine = samples[(samples["backend"] == one["params"]["backend"]) & (samples["mode"] == "throughput")]
        assert one["stats"]["data"] == mine["seconds_per_step"].tolist()
        assert one["stats"]["rounds"] == 4


def test_extra_info_is_plain_and_complete(measured):
    _, report, _ = measured
    for one in report["benchmarks"]:
        info = one["extra_info"]
        assert "UNSERIALIZABLE" not in json.dumps(one)
        assert (info["device"], info["dtype"], info["threads"], info["shape"]) == ("cpu", "float32", 1, "64x1000x100x10")
        assert info["status"] == "ok"
        assert max(info["error_loss"], info["error_w1"], info["error_w2"]) <= info["tolerance"]
        assert info["seconds_per_step_low"] <= info["seconds_per_step"] <= info["seconds_per_step_high"]
        assert info["ratio_low"] <= info["ratio"] <= info["ratio_high"]


def test_machine_info_has_no_host_name_and_no_momentary_clock(measured):
    import platform

    _, report, _ = measured
    assert report["machine_info"]["node"] != platform.node()
    assert "hz_actual" not in report["machine_info"]["cpu"]


def test_grouping_saving_and_comparing_work(measured):
    printed, _, folder = measured
    assert "benchmark 'device=cpu': 5 tests" in printed
    (saved,) = (folder / "saved").rglob("*_run.json")
    compared = subprocess.run(
        [sys.executable, "-m", "pytest_benchmark", "compare", str(saved), str(folder / "report.json")],
        capture_output=True, text=True, timeout=60, cwd=folder,
    )  # fmt: skip
    assert compared.returncode == 0
    assert compared.stdout.count("test_train_step[numpy_manual") == 2


def test_trackers_of_pytest_benchmark_can_read_the_report(measured):
    """As extractPytestResult of github-action-benchmark (src/extract.ts) and Bencher's adapter python_pytest do."""
    _, report, _ = measured
    assert isinstance(report["machine_info"], dict)
    assert isinstance(report["commit_info"], dict)
    names = [one["fullname"] for one in report["benchmarks"]]
    assert len(set(names)) == 5
    assert all(0 < len(name) <= 1024 for name in names)
    for one in report["benchmarks"]:
        stats = one["stats"]
        assert all(math.isfinite(stats[name]) and stats[name] > 0 for name in ("ops", "mean", "median"))
        assert all(math.isfinite(stats[name]) and stats[name] >= 0 for name in ("stddev", "iqr"))
        assert stats["rounds"] == 4


def test_our_table_comes_last_and_fits(measured):
    printed, _, _ = measured
    ours = printed[printed.index("= stepbench =") :].splitlines()[1:]
    assert printed.index(" benchmark 'device=cpu'") < printed.rindex(" stepbench ")
    assert max(len(line) for line in ours[:12]) <= 80
    assert "verdict" in ours[1]


def test_the_folder_holds_every_promised_file(measured):
    _, _, folder = measured
    (run,) = (folder / "results").glob("*/*")
    assert {p.name for p in run.iterdir()} == {"journal.jsonl", "summary.csv", "samples.csv", "environment.json", "summary.md"}
    summary = read_csv(run / "summary.csv")
    assert list(summary.columns[:16]) == SUMMARY_BEGINS
    assert set(summary["kind"]) - {"peak"} == {"seed", "twin", "control", "yardstick", "ceiling", "overhead"}
    assert len(read_csv(run / "samples.csv")) == len(summary) * 2 * 2 * 3  # passes, blocks, modes


def test_plain_pytest_proves_each_case_and_measures_nothing(run_pytest, environ):
    done = run_pytest("bench", "-v", "-k", "numpy_manual or torch_detach", **EVERYTHING)
    assert done.returncode == 0, done.stdout
    assert "2 passed, 3 deselected" in done.stdout
    assert "stepbench: " not in done.stdout
    assert not Path(environ["BENCH_RESULTS"]).exists()


def test_ranks_are_in_the_names_of_tests_and_a_step_of_one_process_says_why_not(run_pytest):
    done = run_pytest("bench", "-v", "-rs", BENCH_RANKS="1,2", BENCH_BACKENDS="numpy_manual")
    assert done.returncode == 0, done.stdout
    assert "[numpy_manual-cpu-float32-1-64x1000x100x10] PASSED" in done.stdout
    assert "[numpy_manual-cpu-float32-1-64x1000x100x10-2ranks] SKIPPED" in done.stdout
    assert "numpy_manual[cpu, float32, 2 ranks] computes in one process, not in 2 ranks." in done.stdout


def test_a_wrong_backend_fails_under_plain_pytest_with_its_reason(run_pytest, no_mask):
    done = run_pytest("bench", BENCH_BACKENDS="no_mask,numpy_manual", **no_mask)
    assert done.returncode == 1
    assert "no_mask[cpu, float32] updates w1 wrongly" in done.stdout
    assert "1 failed, 1 passed" in done.stdout


def test_k_selects_what_is_measured_and_the_baseline_comes_along(run_pytest, environ):
    done = run_pytest("--benchmark-only", "-k", "torch_manual", **EVERYTHING)
    assert done.returncode == 0, done.stdout
    (run,) = Path(environ["BENCH_RESULTS"]).glob("*/*")
    summary = read_csv(run / "summary.csv").set_index("backend")
    assert set(summary.index[~summary["kind"].isin(FIXED_WORK)]) == {"torch_manual", "numpy_manual", "twin"}
    assert {"null", "arithmetic", "gemm_numpy"} < set(summary.index), "controls come with every selection"
    assert summary.loc["torch_manual", "ratio"] > 0


def test_a_failing_case_is_a_failed_test_and_is_not_saved(run_pytest, tmp_path):
    done = run_pytest(
        "--benchmark-only", f"--benchmark-json={tmp_path}/report.json",
        BENCH_PATH=str(BROKEN), BENCH_BACKENDS="raises,numpy_manual", BENCH_STEPS="20", BENCH_BLOCKS="3",
    )  # fmt: skip
    assert done.returncode == 1
    failures = done.stdout[done.stdout.index("= FAILURES =") :]
    assert "raises[cpu, float32] raised ValueError: no more steps" in failures
    assert "TypeError" not in done.stdout
    report = json.loads((tmp_path / "report.json").read_text())
    assert [one["params"]["backend"] for one in report["benchmarks"]] == ["numpy_manual"]


def test_a_missing_library_is_a_skip_unless_it_was_asked_for_by_name(run_pytest, tmp_path):
    (tmp_path / "needs_it.py").write_text('import no_such_library\n\nclass A:\n    kind = "seed"\n')
    by_kind = run_pytest("bench", "-rs", "-k", "needs_it", BENCH_PATH=str(tmp_path))
    assert by_kind.returncode == 0, by_kind.stdout
    assert "needs the library no_such_library, which is not installed" in by_kind.stdout
    by_name = run_pytest("bench", BENCH_PATH=str(tmp_path), BENCH_BACKENDS="needs_it")
    assert by_name.returncode == 1
    assert "needs_it[cpu, float32] needs the library no_such_library, which is not installed." in by_name.stdout


@pytest.mark.parametrize(
    ("arguments", "settings", "says"),
    [
        (["-p", "no:benchmark"], {}, "stepbench reports through pytest-benchmark, which is missing or switched off"),
        (["--benchmark-only"], {"BENCH_STEPS": "101"}, "BENCH_STEPS=101: expected a whole number from 1 to 100."),
        (["--benchmark-only"], {"BENCH_BACKENDS": "torch_manul"}, "did you mean torch_manual?"),
        (["--benchmark-only"], {"BENCH_DEVICES": "cuda:7"}, "BENCH_DEVICES=cuda:7: no such device here; present: cpu"),
        (["--benchmark-json=x.json"], {}, "--benchmark-json needs measurements; add --benchmark-only to measure."),
        (["--benchmark-only", "--benchmark-json=/nowhere/x.json"], {}, "its folder cannot be written to; name another."),
    ],
)
def test_bad_usage_is_one_sentence_and_exit_code_4(arguments, settings, says, run_pytest, environ):
    done = run_pytest(*arguments, **settings)
    assert done.returncode == 4
    (line,) = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("ERROR")]
    assert says in line
    assert not Path(environ["BENCH_RESULTS"]).exists(), "nothing may start"


def test_devices_are_swept_and_shown_as_a_column(run_pytest, environ):
    sweep = {"BENCH_DTYPES": "float32,float64", "BENCH_SHAPES": "7x13x5x3,64x1000x100x10"}
    done = run_pytest("--benchmark-only", "-k", "numpy_manual", **sweep)
    assert done.returncode == 0, done.stdout
    assert "dtype varies" in done.stdout
    assert "shape varies" in done.stdout
    (run,) = Path(environ["BENCH_RESULTS"]).glob("*/*")
    summary = read_csv(run / "summary.csv")
    cells = summary[summary["backend"] == "numpy_manual"][["dtype", "N"]].apply(tuple, axis=1).tolist()
    assert sorted(cells) == [("float32", 7), ("float32", 64), ("float64", 7), ("float64", 64)]
