"""If these fail, a fault of a node other than its death is not told, or takes with it what was measured.

Each is made for real, and takes a run to happen in.
"""

import subprocess
from contextlib import suppress

import pytest

from bench.fleet import folder
from tests.bench.fleet.clusters import needs
from tests.bench.fleet.nodes import asked_processes, only, visits, wait_for

pytestmark = needs()


def test_a_node_that_is_stopped_counts_as_hung_and_what_it_measured_comes_home(quick, environ):
    environ["BENCH_BLOCKS"] = "200"

    def stop_once_measuring(text):
        if text.endswith("measuring"):
            wait_for(lambda: visits(running) > 3)
            (asked,) = asked_processes()
            asked.suspend()

    running = quick(silence=2.0)
    running._tell = stop_once_measuring
    outcome = only(running)
    assert (outcome.state, outcome.reason) == ("missing", "hangs: no sign of life for 2 s")
    assert len(folder.of_node(running.folder, running.ids["alpha"])) == 1


def test_a_run_that_takes_too_long_is_ended_in_order(quick, environ):
    environ["BENCH_BLOCKS"] = "500"
    running = quick(run=3.0)
    outcome = only(running)
    assert (outcome.state, outcome.reason) == ("missing", "took longer than 0.05 minutes (--minutes)")
    (run,) = folder.of_node(running.folder, running.ids["alpha"])
    assert (run / "summary.csv").exists(), "as Ctrl-C ends a run, with its tables"


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 12 MB, for the nodes' runs."""
    place = tmp_path / "cache"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "none", place], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be made here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_disk_that_runs_full_on_a_node_is_said_and_what_was_written_comes_home(quick, environ, small_disk):
    environ["BENCH_BLOCKS"] = "100"

    def fill_once_measuring(text):
        if text.endswith("measuring"):
            wait_for(lambda: visits(running) > 3)
            with (small_disk / "filler").open("wb", buffering=0) as file, suppress(OSError):
                while file.write(bytes(1 << 12)):
                    pass

    running = quick()
    running._tell = fill_once_measuring
    outcome = only(running)
    assert outcome.state == "missing"
    assert "No space left on device" in outcome.reason
    (run,) = folder.of_node(running.folder, running.ids["alpha"])
    assert '"visit"' in (run / "journal.jsonl").read_text()


def test_a_node_whose_run_finds_no_room_says_so(quick, environ, small_disk):
    environ["BENCH_BLOCKS"] = "1000"
    assert "MB are free there, this run may need" in only(quick()).reason
