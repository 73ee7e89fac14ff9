"""If these fail, two fleets measure on one machine at once, or a run that cannot end ends in a traceback."""

import io
import json
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress

import psutil
import pytest

from bench.__main__ import main
from bench.errors import ExitCode
from bench.fleet import node
from tests.bench.fleet.conftest import needs, wait_for
from tests.conftest import SMALL

pytestmark = pytest.mark.usefixtures("environ")


def measure(seconds=60.0, **settings):
    """The reason, and the archive, of a run that may not wait."""
    archive = node.measure(node.Request("f", "a1", SMALL | {"BENCH_BACKENDS": "numpy_manual"} | settings, 0.0, seconds))
    zipped = zipfile.ZipFile(io.BytesIO(archive))
    facts = json.loads(zipped.read(node.FACTS))
    assert facts["stepbench"] == node.version()
    return facts["reason"], zipped


@pytest.mark.parametrize(
    ("holder", "says"),
    [
        (node.hold, "another fleet has held its machine for 0 minutes (--wait)"),
        (nullcontext, "environment: unknown setting 'BENCH_SEEDS'; did you mean BENCH_SEED?"),
    ],
)
def test_a_run_that_cannot_begin_is_one_sentence(holder, says):
    with holder(0.0):
        reason, zipped = measure(BENCH_SEEDS="1")
    assert (reason, zipped.namelist()) == (says, [node.FACTS])


def test_a_second_run_waits_until_the_first_has_ended():
    reached = threading.Event()

    def hold():
        with node.hold(60.0):
            reached.set()

    with node.hold(0.0):
        second = threading.Thread(target=hold)
        second.start()
        assert not reached.wait(0.5)
    second.join()
    assert reached.is_set()


def test_a_run_that_takes_too_long_is_ended():
    before = {*psutil.Process().children(recursive=True)}
    assert measure(seconds=3, BENCH_BLOCKS="2000")[0] == "its run took longer than 0.05 minutes (--minutes)"
    assert {*psutil.Process().children(recursive=True)} <= before


@needs()
def test_a_full_disk_is_said_and_what_was_written_comes_home(small_disk):
    place = small_disk("cache", "12m")
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(measure, BENCH_BLOCKS="100")
        wait_for(lambda: any('"visit"' in path.read_text() for path in place.rglob("journal.jsonl")))
        with (place / "filler").open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(1 << 12)):
                pass
        reason, zipped = answer.result()
    assert "No space left on device" in reason
    (journal,) = (name for name in zipped.namelist() if name.endswith("journal.jsonl"))
    assert b'"visit"' in zipped.read(journal)


def test_the_version_changes_with_any_file_of_this_project(tmp_path, monkeypatch):
    (tmp_path / "bench").mkdir()
    monkeypatch.setattr(node, "ROOT", tmp_path)
    monkeypatch.setattr(node, "BACKENDS", tmp_path)
    versions = {node.version()}
    for text in ("", "a", "b"):
        (tmp_path / "bench" / "x.py").write_text(text)
        versions.add(node.version())
    assert len(versions) == 4


@pytest.mark.parametrize("given", ["", "[]", '{"protocol": 1}'])
def test_node_refuses_what_is_no_request(given, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO(given))
    monkeypatch.setattr("signal.signal", lambda *_: None)  # it ignores the loss of its connection
    assert main(["node"]) == ExitCode.USAGE
    assert "no request of this version on stdin" in capsys.readouterr().err
