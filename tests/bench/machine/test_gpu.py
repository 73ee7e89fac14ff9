"""If these fail, a journal lists other GPUs than there are, or NVIDIA's library stays open."""

import sys
from types import SimpleNamespace

import pytest

from bench.machine import gpu


class _Error(Exception):
    pass


def _fails(*_):
    raise _Error("no driver")


def _second_fails(index, *_):
    return _fails() if index else 1980


@pytest.fixture
def nvml(monkeypatch):
    """A stand-in for NVIDIA's library with two GPUs, the second without clocks."""
    calls = []
    library = SimpleNamespace(
        calls=calls,
        NVMLError=_Error,
        NVML_CLOCK_SM=1,
        NVML_CLOCK_MEM=2,
        nvmlInit=lambda: calls.append("open"),
        nvmlShutdown=lambda: calls.append("close"),
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetName=lambda index: f"GPU {index}",
        nvmlSystemGetDriverVersion=lambda: "580",
        nvmlDeviceGetClockInfo=_second_fails,
        nvmlDeviceGetCurrentClocksThrottleReasons=lambda index: 0,
    )
    monkeypatch.setitem(sys.modules, "pynvml", library)
    return library


def test_every_gpu_is_recorded_with_what_it_supports(nvml):
    both = {"driver": "580", "throttle_reasons": 0}
    clocks = {"sm_clock_hz": 1_980_000_000, "memory_clock_hz": 1_980_000_000}
    assert gpu.gpus() == [{"name": "GPU 0", **both, **clocks}, {"name": "GPU 1", **both}]
    assert nvml.calls == ["open", "close"]


def test_gpus_found_before_an_error_are_kept(nvml):
    nvml.nvmlDeviceGetHandleByIndex = _second_fails
    assert [found["name"] for found in gpu.gpus()] == ["GPU 1980", "gpu"]
    assert nvml.calls == ["open", "close"]


def test_without_a_driver_or_the_library_there_is_none_and_a_reason(nvml, monkeypatch):
    nvml.nvmlInit = _fails
    for reason in (
        ("no driver", "see whether `nvidia-smi` works"),
        ("nvidia-ml-py is not installed", "pip install nvidia-ml-py"),
    ):
        assert gpu.gpus() == []
        with pytest.raises(gpu.Unanswered) as caught, gpu.open_nvml():
            pass
        assert caught.value.args == reason
        monkeypatch.setitem(sys.modules, "pynvml", None)
    assert nvml.calls == [], "what was not opened is not closed"
