"""Real processes that die, hang, fill up and collide: if these fail, a run can lose what it measured, or stay silent."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest

from bench.record import journal
from tests.support import LIGHT, clean_environ, read_csv

BROKEN = Path(__file__).parent.parent / "broken"
ROOT = BROKEN.parent.parent


def _folder(environ) -> Path:
    (machine,) = Path(environ["BENCH_RESULTS"]).iterdir()
    return max(machine.iterdir())


def _started(environ, *command, **settings):
    return subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=environ | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def _wait_for_visits(environ, count: int) -> Path:
    """Until `count` visits are in the journal."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for path in Path(environ["BENCH_RESULTS"]).rglob(journal.NAME):
            if path.read_text().count('"record":"visit"') >= count:
                return path
        time.sleep(0.05)
    raise AssertionError("no visits were recorded")


LONG = {"BENCH_PROCESSES": "50", "BENCH_BLOCKS": "20", "BENCH_BACKENDS": "numpy_manual"}


def _measured(tmp_path_factory, names, **settings):
    """(folder, what was printed, exit code) of a run of these backends."""
    results, counted = tmp_path_factory.mktemp("results"), tmp_path_factory.mktemp("count")
    environ = clean_environ() | {
        "BENCH_PATH": str(BROKEN),
        "BENCH_BACKENDS": ",".join(names),
        "BENCH_DEVICES": "cpu",
        "BENCH_RESULTS": str(results),
        "BENCH_BLOCKS": "3",
        "BROKEN_COUNT": str(counted),
        **settings,
    }
    done = subprocess.run(
        [sys.executable, "-m", "bench", "run"], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=300
    )
    return _folder(environ), done.stdout + done.stderr, done.returncode


SOUND = ("numpy_manual", "prints", "twin", "null", "arithmetic", "traffic")
LATER = r"\(in pass \d, (block \d|before timing)\)"
"""A restart gives every case of its process a new instance, and a busy machine may need a second rehearsal."""
BREAKS = {
    "segfaults": rf"its process died of SIGSEGV {LATER}",
    "raises": rf"raised ValueError: no more steps at raises.py:\d+ {LATER}",
    "hangs": rf"hung: no answer within 10 s \(BENCH_TIMEOUT\), so its process was ended {LATER}",
    "eats_memory": rf"raised \w*MemoryError: Unable to allocate 1.00 GiB .* {LATER}",
    "dies_when_proven": r"its process ended with exit code 3 \(in pass 1, before timing\)",
}


@pytest.fixture(scope="module")
def broken_run(tmp_path_factory):
    """One run of every broken backend beside sound ones."""
    names = ["numpy_manual", "prints", *BREAKS]
    return _measured(tmp_path_factory, names, BENCH_TIMEOUT="10", BENCH_PROCESSES="3", **LIGHT)


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_backend_fails_alone_and_says_why(name, broken_run):
    folder, printed, code = broken_run
    row = read_csv(folder / "summary.csv").set_index("backend").loc[name]
    assert row["status"] == "failed"
    assert re.search(BREAKS[name], row["reason"]), row["reason"]
    assert pd.isna(row["seconds_per_step"])
    assert row["reason"] in printed
    assert code == 1


@pytest.mark.parametrize("name", SOUND)
def test_all_others_have_complete_numbers(name, broken_run):
    folder, printed, _ = broken_run
    row = read_csv(folder / "summary.csv").set_index("backend").loc[name]
    assert (row["status"], row["processes"], row["rounds"]) == ("ok", 3, 9)
    assert row["seconds_per_step_low"] < row["seconds_per_step"] < row["seconds_per_step_high"]
    assert "noise" not in printed


def test_a_backend_that_fails_in_the_fifth_pass_only(tmp_path_factory):
    folder, printed, code = _measured(
        tmp_path_factory, ["numpy_manual", "raises_in_fifth_process"],
        BENCH_PROCESSES="6", BENCH_BLOCKS="2", BENCH_SANDBOX="off", **LIGHT,
    )  # fmt: skip
    summary = read_csv(folder / "summary.csv").set_index("backend")
    assert summary.loc["raises_in_fifth_process", "status"] == "failed"
    failed = re.search(r"the fifth process at \S+:\d+ \(in pass 5, block (\d)\)", printed)
    assert failed
    assert summary.loc["numpy_manual", ["status", "processes", "rounds"]].tolist() == ["ok", 6, 12]
    kept = read_csv(folder / "samples.csv")
    kept = kept[(kept["backend"] == "raises_in_fifth_process") & (kept["mode"] == "throughput")]
    before = 4 * 2 + int(failed[1]) - 1  # whether a visit was audited, and so how many steps it took, is drawn
    assert len(kept) == before, "what was measured before it failed is kept"
    assert set(kept["status"]) == {"failed"}, "and is marked"
    assert code == 1


def test_no_worker_survives_its_run(tmp_path_factory):
    _measured(tmp_path_factory, ["hangs"], BENCH_TIMEOUT="4", BENCH_PROCESSES="2", STEPBENCH_TEST="survivors", **LIGHT)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            assert process.environ().get("STEPBENCH_TEST") != "survivors", process


def test_a_baseline_that_fails_takes_its_ratios_with_it(tmp_path_factory):
    folder, printed, _ = _measured(
        tmp_path_factory, ["numpy_manual", "raises"], BENCH_PROCESSES="2", BENCH_BASELINE="raises", **LIGHT
    )
    summary = read_csv(folder / "summary.csv").set_index("backend")
    assert summary.loc["numpy_manual", "status"] == "ok"
    assert pd.isna(summary.loc["numpy_manual", "ratio"])
    assert "UNPROVEN: the twin of raises-cpu-float32-1-64x1000x100x10 has no ratio" in printed


def test_kill_9_of_the_conductor_keeps_every_visit_and_leaves_no_worker(environ, bench):
    process = _started(environ, "bench", "run", **LONG)
    path = _wait_for_visits(environ, 40)
    workers = psutil.Process(process.pid).children(recursive=True)
    assert workers
    process.kill()
    process.communicate()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive, "suspended workers must end with their conductor"
    visits = sum(record["record"] == "visit" for record in journal.read(path).records)
    assert visits >= 40
    shown = bench("summary", str(path.parent))
    assert shown.returncode == 0
    assert "INCOMPLETE: the run ended in pass" in shown.stdout
    assert "numpy_manual (incomplete)" in shown.stdout
    assert len(read_csv(path.parent / "samples.csv")) == 3 * visits, "throughput, latency, dispatch"
    summary = read_csv(path.parent / "summary.csv")
    assert set(summary["status"]) <= {"incomplete"}
    assert summary["seconds_per_step"].isna().all(), "only ok rows carry times"


@pytest.mark.parametrize(("command", "code"), [(["bench", "run"], 130), (["pytest", "--benchmark-only"], 2)])
def test_ctrl_c_prints_what_is_there_and_ends_the_workers(command, code, environ):
    process = _started(environ, *command, **LONG)
    path = _wait_for_visits(environ, 20)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == code, printed
    assert not psutil.wait_procs(workers, timeout=10)[1]
    assert "INCOMPLETE: the run ended in pass" in printed
    assert "numpy_manual (incomplete)" in printed
    assert {"summary.csv", "samples.csv", "summary.md", "environment.json"} <= {p.name for p in path.parent.iterdir()}


def test_two_runs_at_once_keep_apart_and_are_both_warned(environ):
    some = {"BENCH_PROCESSES": "3", "BENCH_BLOCKS": "4", "BENCH_STEPS": "20", "BENCH_BACKENDS": "numpy_manual"}
    both = [_started(environ, "bench", "run", **some) for _ in range(2)]
    printed = [process.communicate(timeout=300)[0] for process in both]
    for text in printed:
        assert re.search(r"busy: \d+ other runs? of stepbench .* measuring on this machine", text)
    folders = list(_folder(environ).parent.iterdir())
    assert len(folders) == 2
    for folder in folders:
        assert set(read_csv(folder / "summary.csv")["status"]) == {"ok"}


@pytest.mark.parametrize("place", ["/proc/nowhere", "/dev/null/results"])
def test_results_that_cannot_be_written_are_found_before_measuring(place, bench, run_pytest):
    done = bench("run", BENCH_RESULTS=place)
    assert done.returncode == 2
    assert done.stderr.startswith(f"bench: BENCH_RESULTS={place}: results cannot be written there:")
    assert done.stderr.count("\n") == 1
    done = run_pytest("--benchmark-only", BENCH_RESULTS=place)
    assert done.returncode == 4
    assert f"BENCH_RESULTS={place}: results cannot be written there:" in done.stderr + done.stdout


def test_a_full_disk_is_found_before_measuring(bench, tmp_path):
    place = tmp_path / "full"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", place], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    try:
        done = bench("run", BENCH_RESULTS=str(place))
    finally:
        subprocess.run(["umount", place], check=True)
    assert done.returncode == 2
    assert "MB are free there, this run may need" in done.stderr


def test_journal_lines_carry_what_a_later_reader_needs(broken_run):
    folder, _, _ = broken_run
    header = json.loads((folder / journal.NAME).read_text().splitlines()[0])
    assert header["sources"]
    assert {case["source_hash"] for case in header["cases"]} <= set(header["sources"])
    text = (folder / journal.NAME).read_text() + (folder / "environment.json").read_text()
    assert os.uname().nodename not in text or len(os.uname().nodename) < 4
