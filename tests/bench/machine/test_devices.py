"""If these fail, a device is measured under a wrong name, or a journal lists other GPUs than there are."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from bench.errors import UsageError
from bench.machine import devices
from tests.support import EVERYTHING, clean_environ, fake_nvml, unanswered


@pytest.fixture
def fakes(monkeypatch):
    """`fakes(2)` is what is present with two devices of a further kind, and no GPU."""
    monkeypatch.setattr(devices, "ACCELERATORS", ("cuda", "fake"))

    def add(count):
        modules = {kind: SimpleNamespace(device_count=lambda here=here: here) for kind, here in (("cuda", 0), ("fake", count))}
        monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(get_device_module=modules.get))
        return devices.present()

    return add


def test_what_is_present_has_a_number_only_where_there_are_several(fakes):
    assert [fakes(count) for count in (0, 1, 2)] == [
        ("cpu",), ("cpu", "fake"), ("cpu", "fake:0", "fake:1"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("names", "present", "chosen"),
    [
        (("cuda:0", "cuda", "cpu"), ("cpu", "cuda"), ("cuda", "cpu")),
        (("cuda", "cuda:1", "cuda:0"), ("cpu", "cuda:0", "cuda:1"), ("cuda:0", "cuda:1")),
        (("cpu:0",), ("cpu",), ("cpu",)),
        (("all",), ("cpu", "cuda"), ("cpu", "cuda")),
    ],
)
def test_one_device_has_one_name_the_one_that_is_present(names, present, chosen):
    assert devices.chosen(names, present) == chosen


@pytest.mark.parametrize(
    ("count", "name"),
    [(0, "fake"), (1, "fake:1"), (2, "fake:2"), (1, "cuda"), (1, "cpu:1"), (1, "fake:")],
)
def test_a_device_that_cannot_be_had_is_one_sentence(count, name, fakes):
    present = fakes(count)
    with pytest.raises(UsageError) as caught:
        devices.chosen(("cpu", name), present)
    says = f"BENCH_DEVICES={name}: no such device here; name some of {', '.join(present)}, or `all` alone."
    assert str(caught.value) == says


def test_all_but_the_processor_are_accelerators():
    names = ("cpu", "cuda", "cuda:1", "from_a_later_version")
    assert [devices.is_accelerator(name) for name in names] == [False, True, True, True]
    assert [devices.explained(present) for present in (("cpu",), ("cpu", "cuda:0"))] == [("cpu", "cuda"), ("cpu", "cuda:0")]


PRESENT = """
import sys
from bench.machine import devices
heavy = {"torch", "numpy", "psutil", "pandas", "rich", "scipy"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
sys.modules["torch"] = None
assert devices.present() == ("cpu",)
"""


def test_a_worker_may_import_it_and_count_without_any_library():
    command, environ = [sys.executable, "-c", PRESENT], clean_environ() | EVERYTHING
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_torch_is_asked_how_many_of_each_kind_there_are(monkeypatch):
    torch = pytest.importorskip("torch")
    module = type("module", (), {"device_count": staticmethod(lambda: 2)})
    monkeypatch.setattr(torch, "get_device_module", {"cuda": module}.get)
    assert devices.present() == ("cpu", "cuda:0", "cuda:1")


def _first_alone(index, *_):
    return unanswered() if index else 1980


@pytest.mark.parametrize(
    ("answers", "second"),
    [({"ClockInfo": _first_alone}, {"name": "GPU 1", "driver": "580", "throttle_reasons": 0}),
     ({"HandleByIndex": _first_alone}, {"name": "gpu"})],
    ids=["without clocks", "an error ends the list"],
)  # fmt: skip
def test_every_gpu_is_recorded_with_what_it_supports(answers, second, monkeypatch):
    nvml = fake_nvml(gpus=2, **answers)
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    first, found = devices.gpus()
    hertz = 1_980_000_000
    assert first.pop("name") in ("GPU 0", "GPU 1980")
    assert first == {"driver": "580", "throttle_reasons": 0, "sm_clock_hz": hertz, "memory_clock_hz": hertz}
    assert found == second
    assert nvml.calls == ["open", "close"]


def test_without_a_driver_or_the_library_there_is_no_gpu(monkeypatch):
    nvml = fake_nvml()
    nvml.nvmlInit = unanswered
    for module in (nvml, None):
        monkeypatch.setitem(sys.modules, "pynvml", module)
        assert devices.gpus() == []
    assert nvml.calls == [], "what was not opened is not closed"
