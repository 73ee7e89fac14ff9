"""If these fail, a fault on a node or at home is not said, or takes what was measured with it.

Each is made for real, and takes a run to happen in.
"""

import subprocess
from contextlib import suppress

import pytest

from bench.fleet import home
from tests.bench.fleet.clusters import needs
from tests.bench.fleet.conftest import ended, wait_for

pytestmark = needs()


def test_a_node_that_is_killed_leaves_no_process_and_resume_measures_again(begin):
    running = begin(BENCH_BLOCKS="200")
    process = running.measuring()
    below = process.children(recursive=True)
    process.kill()
    assert running.states() == {"alpha": "its command died of SIGKILL and said: nothing"}
    assert ended(below)
    assert begin(BENCH_BLOCKS="1").states() == {"alpha": "done"}
    assert len(home.runs(running.place / running.ids["alpha"])) == 2, "the run that was cut off came too"


def test_a_node_that_is_stopped_is_late_and_resume_fetches_its_run(begin):
    running = begin(BENCH_BLOCKS="5", wait=1.0, seconds=20.0)
    process = running.measuring()
    process.suspend()
    assert running.states()["alpha"].startswith("no answer within 0.35 minutes (--wait, --minutes)")
    assert begin().states() == {"alpha": "done"}


def test_a_run_that_takes_too_long_is_ended_in_order(begin):
    running = begin(BENCH_BLOCKS="2000", seconds=15.0)
    assert running.states() == {"alpha": "its run took longer than 0.25 minutes (--minutes)"}
    (run,) = home.runs(running.place / running.ids["alpha"])
    assert (run / "summary.csv").exists(), "as Ctrl-C ends a run, with its tables"


@pytest.fixture
def small_disk(tmp_path, request):
    """A file system of 12 MB."""
    place = tmp_path / request.param
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "none", place]
    mounted = subprocess.run(mount, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be made here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def fill(place):
    with (place / "filler").open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(1 << 12)):
            pass


@pytest.mark.parametrize("small_disk", ["cache"], indirect=True)
def test_a_disk_that_runs_full_on_a_node_is_said_and_what_was_written_comes_home(begin, small_disk):
    running = begin(BENCH_BLOCKS="100")
    running.measuring()
    fill(small_disk)
    assert "No space left on device" in running.states()["alpha"]
    (run,) = home.runs(running.place / running.ids["alpha"])
    assert '"visit"' in (run / "journal.jsonl").read_text()


@pytest.mark.parametrize("small_disk", ["cache"], indirect=True)
def test_a_node_without_room_for_a_run_says_so(begin, small_disk):
    assert "MB are free there, this run may need" in begin(BENCH_BLOCKS="1000").states()["alpha"]


@pytest.mark.parametrize("small_disk", ["fleet"], indirect=True)
def test_a_full_disk_at_home_is_one_sentence_and_resume_fetches_the_run(begin, small_disk):
    running = begin()
    wait_for(lambda: any(running.kept.rglob("journal.jsonl")))
    fill(small_disk)
    says = "node.json: cannot be written: No space left on device; make room"
    assert says in running.states()["alpha"]
    (small_disk / "filler").unlink()
    assert begin().states() == {"alpha": "done"}
    assert len([*running.kept.rglob("journal.jsonl")]) == 1
