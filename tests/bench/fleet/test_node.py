"""If these fail, two fleets measure on one machine at once, or a node loses or repeats its run."""

import io
import json
import threading
import zipfile

import pytest

from bench.fleet import node
from tests.bench.fleet.made import journal_bytes


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """`measured(settings)` returns the facts and the names of the files that a node returns."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def measure(**settings):
        request = node.Request(fleet="f", node="a1", settings=settings, wait=0.0, seconds=60.0)
        with zipfile.ZipFile(io.BytesIO(node.measure(request))) as zipped:
            names = [name for name in zipped.namelist() if name != node.FACTS]
            return json.loads(zipped.read(node.FACTS)), names

    return measure


def test_a_second_run_says_who_holds_the_machine(measured):
    with node.hold(0.0, "node b2 of fleet g"):
        facts, files = measured()
    says = "node b2 of fleet g has held its machine for 0 minutes (--wait)"
    assert (facts["reason"], files) == (says, [])


def test_a_second_run_waits_until_the_first_has_ended(measured):
    reached = threading.Event()

    def hold():
        with node.hold(60.0, "second"):
            reached.set()

    with node.hold(0.0, "first"):
        second = threading.Thread(target=hold)
        second.start()
        assert not reached.wait(0.5)
    second.join()
    assert reached.is_set()


def test_a_finished_run_is_returned_and_not_repeated(measured, tmp_path):
    run = tmp_path / "stepbench" / "f" / "a1" / "m" / "r"
    run.mkdir(parents=True)
    (run / "journal.jsonl").write_bytes(journal_bytes())
    facts = {"stepbench": node.version(), "reason": "", "printed": ""}
    assert measured(BENCH_NONSENSE="1") == (facts, ["m/r/journal.jsonl"])


def test_a_run_that_cannot_begin_is_one_sentence(measured):
    facts, files = measured(BENCH_NONSENSE="1")
    assert facts["reason"].startswith("environment: unknown setting 'BENCH_NONSENSE'")
    assert files == []
