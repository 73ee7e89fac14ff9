"""If these fail, two fleets measure on one machine at once."""

import io
import json
import threading
import zipfile

import pytest

from bench.fleet import node


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.mark.parametrize(
    ("holder", "says"),
    [
        ("node b2 of fleet g", "node b2 of fleet g has held its machine for 0 minutes (--wait)"),
        (None, "environment: unknown setting 'BENCH_SEEDS'; did you mean BENCH_SEED?"),
    ],
)
def test_a_run_that_cannot_begin_is_one_sentence(holder, says):
    settings = {"BENCH_SEEDS": "1"}
    request = node.Request(fleet="f", node="a1", settings=settings, wait=0.0, seconds=60.0)
    if holder:
        with node.hold(0.0, holder):
            archive = node.measure(request)
    else:
        archive = node.measure(request)
    with zipfile.ZipFile(io.BytesIO(archive)) as zipped:
        assert zipped.namelist() == [node.FACTS]
        assert json.loads(zipped.read(node.FACTS))["reason"] == says


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
