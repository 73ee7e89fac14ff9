"""If these fail, a device is measured under a wrong name, or one that is not there is not told of."""

import subprocess
import sys
from dataclasses import replace

import pytest

from bench.errors import UsageError
from bench.machine import devices
from tests.support import EVERYTHING, clean_environ


@pytest.fixture
def fakes(monkeypatch):
    """`fakes(2)` adds a kind of which two are present, `fakes(1, several=False)` one that needs no number."""

    def add(count, **changes):
        kind = replace(devices.Kind("fake", lambda name: count), **changes)
        monkeypatch.setitem(devices.KINDS, "fake", kind)
        return devices.present()

    return add


def test_what_is_present_has_a_number_only_where_there_are_several(fakes):
    absent = fakes(0)
    assert absent[0] == "cpu"
    assert fakes(1) == (*absent, "fake")
    assert fakes(2) == (*absent, "fake:0", "fake:1")


def test_one_device_has_one_name_the_one_that_is_present():
    assert devices.chosen(("cuda:0", "cuda", "cpu"), ("cpu", "cuda")) == ("cuda", "cpu")
    assert devices.chosen(("cuda", "cuda:1", "cuda:0"), ("cpu", "cuda:0", "cuda:1")) == ("cuda:0", "cuda:1")
    assert devices.chosen(("all",), ("cpu", "cuda")) == ("cpu", "cuda")


@pytest.mark.parametrize(
    ("count", "name", "says"),
    [
        (0, "fake", "BENCH_DEVICES=fake: no such device here; present: cpu."),
        (1, "fake:1", "BENCH_DEVICES=fake:1: no such device here; present: cpu, fake."),
        (2, "fake:2", "BENCH_DEVICES=fake:2: no such device here; present: cpu, fake:0, fake:1."),
        (1, "fale", "BENCH_DEVICES: unknown device 'fale'; did you mean fake?"),
        (1, "fake:x", "BENCH_DEVICES: unknown device 'fake:x'; did you mean fake:1?"),
        (1, "fake:", "BENCH_DEVICES: unknown device 'fake:'; did you mean fake:1?"),
        (1, "cpu:0", "BENCH_DEVICES: unknown device 'cpu:0'; did you mean cpu?"),
        (1, "gpu", "BENCH_DEVICES: unknown device 'gpu'; did you mean cpu?"),
        (1, "cudda", "BENCH_DEVICES: unknown device 'cudda'; did you mean cuda?"),
        (1, "42", "BENCH_DEVICES: unknown device '42'; known: cpu, fake, cuda, cuda:1, xpu, xpu:1, mps, fake:1, all."),
    ],
)
def test_a_device_that_cannot_be_had_is_one_sentence(count, name, says, fakes, monkeypatch):
    for kind in ("cuda", "xpu", "mps"):
        monkeypatch.setitem(devices.KINDS, kind, replace(devices.KINDS[kind], count=lambda name: 0))
    with pytest.raises(UsageError) as caught:
        devices.chosen((name,), fakes(count))
    assert str(caught.value) == says


@pytest.mark.parametrize("name", ["xpu", "xpu:1", "mps"])
def test_every_kind_may_be_asked_for_and_is_unavailable_with_a_reason(name):
    with pytest.raises(UsageError, match=f"^BENCH_DEVICES={name}: no such device here; present: cpu.$"):
        devices.chosen((name,), ("cpu",))


def test_a_kind_of_which_there_is_one_takes_no_number(fakes):
    present = fakes(1, several=False)
    assert devices.chosen(("fake",), present) == ("fake",)
    with pytest.raises(UsageError, match="unknown device 'fake:0'"):
        devices.chosen(("fake:0",), present)


def test_a_cpu_alone_is_limited_and_done_when_a_step_returns(fakes):
    """Else a driver that reserves address space fails, or a latency is taken for a throughput."""
    assert {name for name, kind in devices.KINDS.items() if kind.limited} == {"cpu"}
    assert {name for name, kind in devices.KINDS.items() if not kind.queued} == {"cpu"}
    fakes(2, queued=False)
    assert [devices.kind_of(name).queued for name in ("fake:1", "cuda:1", "from_a_later_version")] == [False, True, True]


def test_without_an_accelerator_every_backend_says_why_not_on_cuda():
    assert devices.explained(("cpu",)) == ("cpu", "cuda")
    assert devices.explained(("cpu", "cuda:0", "cuda:1")) == ("cpu", "cuda:0", "cuda:1")
    assert devices.explained(("cpu", "xpu")) == ("cpu", "xpu")


PRESENT = """
import sys
from bench.machine import devices
heavy = {"torch", "numpy", "psutil", "pandas", "rich", "scipy"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
sys.modules["torch"] = None
assert devices.present() == ("cpu",)
"""


def test_a_worker_may_import_it_and_count_without_any_library():
    done = subprocess.run([sys.executable, "-c", PRESENT], env=clean_environ() | EVERYTHING, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_torch_is_asked_how_many_of_each_kind_there_are(monkeypatch):
    torch = pytest.importorskip("torch")
    counts = {"cuda": 2, "xpu": 1, "mps": 0}
    modules = {kind: type("module", (), {"device_count": staticmethod(lambda n=n: n)}) for kind, n in counts.items()}
    monkeypatch.setattr(torch, "get_device_module", modules.get)
    assert devices.present() == ("cpu", "cuda:0", "cuda:1", "xpu")
