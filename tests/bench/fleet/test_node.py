"""If these fail, two fleets measure on one machine at once, or a node loses or repeats its run."""

import io
import json
import threading
import zipfile

import pytest

from bench.errors import UsageError
from bench.fleet import node
from tests.bench.fleet.made import journal_bytes


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def request(**changes):
    return node.Request(fleet="f", node="a1", settings={}, wait=0.0, seconds=60.0) | changes


def facts_and_files(archive):
    with zipfile.ZipFile(io.BytesIO(archive)) as zipped:
        names = [name for name in zipped.namelist() if name != node.FACTS]
        return json.loads(zipped.read(node.FACTS)), names


def test_a_second_run_is_told_who_holds_the_machine():
    with node.hold(0.0, "node b2 of fleet g"):
        facts, files = facts_and_files(node.measure(request()))
    says = "node b2 of fleet g has held its machine for 0 minutes (--wait)"
    assert (facts["reason"], files) == (says, [])


def test_a_second_run_waits_until_the_first_has_ended():
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


def test_a_finished_run_is_returned_and_not_repeated(tmp_path):
    run = tmp_path / "stepbench" / "f" / "a1" / "m" / "r"
    run.mkdir(parents=True)
    (run / "journal.jsonl").write_bytes(journal_bytes())
    facts, files = facts_and_files(node.measure(request(settings={"BENCH_NONSENSE": "1"})))
    assert facts == {"stepbench": node.version(), "reason": "", "printed": ""}
    assert files == ["m/r/journal.jsonl"]


def test_a_run_that_cannot_begin_is_one_sentence():
    facts, files = facts_and_files(node.measure(request(settings={"BENCH_NONSENSE": "1"})))
    assert facts["reason"].startswith("environment: unknown setting 'BENCH_NONSENSE'")
    assert files == []


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "stepbench").write_text("a file")
    facts, _ = facts_and_files(node.measure(request()))
    assert "Not a directory" in facts["reason"]


def test_a_held_machine_is_free_once_its_holder_has_ended():
    with node.hold(0.0, "first"):
        pass
    with node.hold(0.0, "second"), pytest.raises(UsageError, match="^second has held"), node.hold(0.0, "x"):
        pass
