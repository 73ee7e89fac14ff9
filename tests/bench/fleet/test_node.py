"""If these fail, two fleets measure on one machine at once, or a run that cannot begin ends in a traceback."""

import io
import json
import threading
import zipfile
from contextlib import nullcontext

import pytest

from bench.__main__ import main
from bench.errors import ExitCode
from bench.fleet import node


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.mark.parametrize(
    ("holder", "says"),
    [
        (node.hold(0.0, "node b2 of fleet g"), "node b2 of fleet g has held its machine for 0 minutes (--wait)"),
        (nullcontext(), "environment: unknown setting 'BENCH_SEEDS'; did you mean BENCH_SEED?"),
    ],
)
def test_a_run_that_cannot_begin_is_one_sentence(holder, says):
    request = node.Request(fleet="f", node="a1", settings={"BENCH_SEEDS": "1"}, wait=0.0, seconds=60.0)
    with holder:
        archive = node.measure(request)
    with zipfile.ZipFile(io.BytesIO(archive)) as zipped:
        assert zipped.namelist() == [node.FACTS]
        facts = json.loads(zipped.read(node.FACTS))
    assert (facts["reason"], facts["stepbench"]) == (says, node.version())


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
    assert capsys.readouterr() == ("", "bench: node: no request of this version on stdin; run `bench fleet`.\n")
