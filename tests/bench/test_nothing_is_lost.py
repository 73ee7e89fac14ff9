"""Processes that die, hang, fill a disk or collide: if these fail, a run loses measurements."""

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
from tests.support import LIGHT, ROOT, clean_environ, read_csv

BROKEN = ROOT / "tests" / "broken"


def _folder(environ) -> Path:
    (machine,) = Path(environ["BENCH_RESULTS"]).iterdir()
    return max(machine.iterdir())


def _started(environ, *command, **settings):
    return subprocess.Popen(
        [sys.executable, "-m", *command], cwd=ROOT, env=environ | settings, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


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
    environ = clean_environ() | LIGHT | {
        "BENCH_PATH": str(BROKEN), "BENCH_BACKENDS": ",".join(names), "BENCH_DEVICES": "cpu",
        "BENCH_RESULTS": str(results), "BENCH_BLOCKS": "3", "BROKEN_COUNT": str(counted),
    } | settings  # fmt: skip
    process = _started(environ, "bench", "run")
    printed, _ = process.communicate(timeout=300)
    return _folder(environ), printed, process.returncode


SOUND = ("numpy_manual", "prints", "twin", "null", "arithmetic")
WHEN = r"\(in pass \d, (block \d|before timing)\)"
"""On a busy machine a proof may need a second rehearsal, which takes more steps."""
BREAKS = {
    "segfaults": rf"its process died of SIGSEGV {WHEN}",
    "raises": rf"raised ValueError: no more steps at raises.py:\d+ {WHEN}",
    "hangs": rf"hung: no answer within 10 s \(BENCH_TIMEOUT\), so its process was ended {WHEN}",
    "eats_memory": rf"raised \w*MemoryError: Unable to allocate 1.00 GiB .* {WHEN}",
    "raises_in_third_process": r"raised RuntimeError: the third process at \S+:\d+ \(in pass 3, block \d\)",
    "dies_when_proven": r"its process ended with exit code 3 \(in pass 1, before timing\)",
}


@pytest.fixture(scope="module")
def broken_run(tmp_path_factory):
    """One run of every broken backend and of sound ones, forked from one server."""
    names = ["numpy_manual", "prints", *BREAKS]
    return _measured(tmp_path_factory, names, BENCH_TIMEOUT="10", BENCH_PROCESSES="3")


@pytest.mark.parametrize("name", [*BREAKS, *SOUND])
def test_a_broken_backend_fails_alone_and_all_others_have_complete_numbers(name, broken_run):
    folder, printed, code = broken_run
    row = read_csv(folder / "summary.csv").set_index("backend").loc[name]
    assert code == 1
    if name in BREAKS:
        assert row["status"] == "failed"
        assert re.search(BREAKS[name], row["reason"]), row["reason"]
        assert pd.isna(row["seconds_per_step"])
        assert row["reason"] in printed
    else:
        assert (row["status"], row["processes"], row["rounds"]) == ("ok", 3, 9)
        assert row["seconds_per_step_low"] < row["seconds_per_step"] < row["seconds_per_step_high"]
    assert "noise" not in printed


def test_a_backend_that_fails_in_the_third_pass_keeps_its_samples(broken_run):
    folder, printed, _ = broken_run
    failed = re.search(r"the third process at \S+:\d+ \(in pass 3, block (\d)\)", printed)
    kept = read_csv(folder / "samples.csv")
    kept = kept[(kept["backend"] == "raises_in_third_process") & (kept["mode"] == "throughput")]
    assert kept["status"].tolist() == ["failed"] * (2 * 3 + int(failed[1]) - 1)


def test_a_baseline_that_hangs_leaves_no_ratio_and_no_process(tmp_path_factory):
    settings = {"BENCH_TIMEOUT": "4", "BENCH_PROCESSES": "2", "BENCH_BASELINE": "hangs", "STEPBENCH_TEST": "survivors"}
    folder, printed, _ = _measured(tmp_path_factory, ["numpy_manual", "hangs"], **settings)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            assert process.environ().get("STEPBENCH_TEST") != "survivors", process
    summary = read_csv(folder / "summary.csv").set_index("backend")
    assert summary.loc["numpy_manual", "status"] == "ok"
    assert pd.isna(summary.loc["numpy_manual", "ratio"])
    assert "UNPROVEN: the twin of hangs-cpu-float32-1-64x1000x100x10 has no ratio" in printed


def test_kill_9_of_the_conductor_keeps_every_visit_and_leaves_no_process(environ, bench):
    process = _started(environ, "bench", "run", **LONG)
    path = _wait_for_visits(environ, 40)
    processes = psutil.Process(process.pid).children(recursive=True)
    modules = [name for each in processes for name in each.cmdline() if "bench." in name]
    assert modules.count("bench.worker") > 2, "a fork server and its children"
    process.kill()
    process.communicate()
    assert psutil.wait_procs(processes, timeout=10)[1] == [], "also those that are stopped"
    visits = sum(record["record"] == "visit" for record in journal.read(path).records)
    assert visits >= 40
    shown = bench("summary", str(path.parent))
    assert shown.returncode == 0
    assert "INCOMPLETE: the run ended in pass" in shown.stdout
    samples = read_csv(path.parent / "samples.csv")
    assert len(samples) == 3 * visits, "throughput, latency, dispatch"
    summary = read_csv(path.parent / "summary.csv")
    assert set(summary["status"]) <= {"incomplete"}
    assert summary["seconds_per_step"].isna().all(), "only ok rows have times"


@pytest.mark.parametrize(("command", "code"), [(["bench", "run"], 130), (["pytest", "--benchmark-only"], 2)])
def test_ctrl_c_prints_what_was_measured_and_ends_the_workers(command, code, environ):
    process = _started(environ, *command, **LONG)
    path = _wait_for_visits(environ, 20)
    processes = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == code, printed
    assert psutil.wait_procs(processes, timeout=10)[1] == []
    assert "INCOMPLETE: the run ended in pass" in printed
    files = {"summary.csv", "samples.csv", "summary.md", "environment.json"}
    assert files <= {each.name for each in path.parent.iterdir()}


def test_two_runs_at_once_keep_apart_and_are_both_warned(environ):
    some = {"BENCH_PROCESSES": "3", "BENCH_BLOCKS": "4", "BENCH_BACKENDS": "numpy_manual"}
    both = [_started(environ, "bench", "run", **some) for _ in range(2)]
    for process in both:
        printed = process.communicate(timeout=300)[0]
        assert "busy: another run of stepbench is measuring on this machine" in printed
    folders = list(_folder(environ).parent.iterdir())
    assert len(folders) == 2
    for folder in folders:
        assert set(read_csv(folder / "summary.csv")["status"]) == {"ok"}


@pytest.mark.parametrize("place", ["/proc/nowhere", "/dev/null/results"])
def test_results_that_cannot_be_written_are_found_before_measuring(place, bench):
    done = bench("run", BENCH_RESULTS=place)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith(f"bench: BENCH_RESULTS={place}: results cannot be written there:")


@pytest.fixture
def small_disk(tmp_path):
    """`small_disk("64k")` is a folder on a file system of that size."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(size):
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", place]
        mounted = subprocess.run(command, capture_output=True, text=True)
        if mounted.returncode:
            pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
        return place

    yield mount
    subprocess.run(["umount", place], capture_output=True)


def test_a_full_disk_is_found_before_measuring(bench, small_disk):
    done = bench("run", BENCH_RESULTS=str(small_disk("64k")))
    assert done.returncode == 2
    assert "MB are free there, this run may need" in done.stderr


def test_a_disk_that_fills_up_while_a_run_measures_keeps_every_visit(environ, small_disk):
    settings = LONG | {"BENCH_RESULTS": str(small_disk("20m"))}
    process = _started(environ, "bench", "run", **settings)
    path = _wait_for_visits(settings, 20)
    processes = psutil.Process(process.pid).children(recursive=True)
    with contextlib.suppress(OSError), open(path.parents[2] / "filler", "wb", 0) as filler:
        while filler.write(bytes(4096)):
            pass
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 2, printed
    assert "No space left on device" in printed
    assert "Traceback" not in printed
    assert psutil.wait_procs(processes, timeout=10)[1] == []
    assert sum(record["record"] == "visit" for record in journal.read(path).records) >= 20


def test_a_journal_holds_its_sources_and_no_host_name(broken_run):
    folder = broken_run[0]
    text = (folder / journal.NAME).read_text()
    header = json.loads(text.splitlines()[0])
    assert header["sources"]
    assert {case["source_hash"] for case in header["cases"]} <= set(header["sources"])
    host = os.uname().nodename
    assert len(host) < 4 or host not in text + (folder / "environment.json").read_text()
