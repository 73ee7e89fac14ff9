"""If these fail, a fault on a node or at home is not said, or takes what was measured with it.

Each is made for real, and takes a run to happen in.
"""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.bench.fleet.conftest import NODE, ended, needs, place, wait_for
from tests.support import ROOT

pytestmark = needs()


def test_when_home_is_killed_the_node_goes_on_and_resume_fetches_its_run(bench, environ):
    command = [sys.executable, "-m", "bench", "fleet", "--command", NODE, "--nodes", "alpha"]
    killed = subprocess.Popen(command, env=environ, cwd=ROOT, stderr=subprocess.DEVNULL)
    kept = Path(environ["XDG_CACHE_HOME"])
    wait_for(lambda: any(kept.rglob("journal.jsonl")))
    killed.kill()
    killed.wait()
    wait_for(lambda: any('"end"' in path.read_text() for path in kept.rglob("journal.jsonl")))
    done = bench("fleet", "--resume", **environ)
    assert done.returncode == 0, done.stderr
    assert [len([*at.rglob("journal.jsonl")]) for at in (kept, place(environ))] == [1, 1]


def test_a_node_that_is_killed_leaves_no_process_and_resume_measures_again(begin):
    running = begin(BENCH_BLOCKS="200")
    process = running.measuring()
    below = process.children(recursive=True)
    process.kill()
    assert running.states() == {"alpha": "its command died of SIGKILL and said: nothing"}
    assert ended(below)
    assert begin(BENCH_BLOCKS="1").states() == {"alpha": "done"}
    assert len(running.runs("alpha")) == 2, "the run that was cut off came too"


def test_a_node_that_is_stopped_is_late_and_resume_measures_again(begin):
    running = begin(BENCH_BLOCKS="5", wait=1, seconds=20)
    running.measuring().suspend()
    assert running.states()["alpha"].startswith("no answer within 0.35 minutes (--wait, --minutes)")
    assert begin().states() == {"alpha": "done"}


def test_a_run_that_takes_too_long_is_ended_in_order(begin):
    running = begin(BENCH_BLOCKS="2000", seconds=15)
    assert running.states() == {"alpha": "its run took longer than 0.25 minutes (--minutes)"}
    (run,) = running.runs("alpha")
    assert (run / "summary.csv").exists(), "as Ctrl-C ends a run, with its tables"


@pytest.fixture
def small_disk(tmp_path, request):
    """`small_disk()` fills a file system of 12 MB."""
    place = tmp_path / request.param
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "none", place]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small file system cannot be made here")

    def fill():
        with (place / "filler").open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(1 << 12)):
                pass
        return place / "filler"

    yield fill
    subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.parametrize("small_disk", ["cache"], indirect=True)
def test_a_full_disk_on_a_node_is_said_and_what_was_written_comes_home(begin, small_disk):
    running = begin(BENCH_BLOCKS="100")
    running.measuring()
    small_disk()
    assert "No space left on device" in running.states()["alpha"]
    (run,) = running.runs("alpha")
    assert '"visit"' in (run / "journal.jsonl").read_text()


@pytest.mark.parametrize("small_disk", ["fleet"], indirect=True)
def test_a_full_disk_at_home_is_said_and_resume_fetches_the_run(begin, small_disk):
    running = begin()
    wait_for(lambda: any(running.kept.rglob("journal.jsonl")))
    filler = small_disk()
    says = "node.json: cannot be written: No space left on device; make room"
    assert says in running.states()["alpha"]
    filler.unlink()
    assert begin().states() == {"alpha": "done"}
    assert len([*running.kept.rglob("journal.jsonl")]) == 1
