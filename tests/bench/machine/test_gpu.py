"""If these fail, a journal tells of other GPUs than there are, or NVIDIA's library stays open."""

import sys
from types import SimpleNamespace

import pytest

from bench.machine import gpu


class _Error(Exception):
    pass


@pytest.fixture
def nvml(monkeypatch):
    """A stand-in for NVIDIA's library with two GPUs, the second without clocks; it notes what it is asked."""
    asked = []

    def clock(index, kind):
        if index:
            raise _Error("not supported")
        return 1980

    library = SimpleNamespace(
        asked=asked,
        NVMLError=_Error,
        NVML_CLOCK_SM=1,
        NVML_CLOCK_MEM=2,
        nvmlInit=lambda: asked.append("open"),
        nvmlShutdown=lambda: asked.append("close"),
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetName=lambda index: f"GPU {index}",
        nvmlSystemGetDriverVersion=lambda: "580",
        nvmlDeviceGetClockInfo=clock,
        nvmlDeviceGetCurrentClocksThrottleReasons=lambda index: 0,
    )
    monkeypatch.setitem(sys.modules, "pynvml", library)
    return library


def test_every_gpu_is_recorded_with_what_it_tells(nvml):
    first, second = gpu.gpus()
    clocks = {"sm_clock_hz": 1_980_000_000, "memory_clock_hz": 1_980_000_000}
    assert first == {"name": "GPU 0", "driver": "580", "throttle_reasons": 0} | clocks
    assert second == {"name": "GPU 1", "driver": "580", "throttle_reasons": 0}
    assert nvml.asked == ["open", "close"]


def test_gpus_found_before_an_error_are_kept(nvml):
    def handle(index):
        if index:
            raise _Error("lost")
        return index

    nvml.nvmlDeviceGetHandleByIndex = handle
    assert [found["name"] for found in gpu.gpus()] == ["GPU 0", "gpu"]
    assert nvml.asked == ["open", "close"]


def test_without_a_driver_or_the_library_there_is_none_and_a_reason(nvml, monkeypatch):
    def silent():
        raise _Error("no driver")

    nvml.nvmlInit = silent
    assert gpu.gpus() == []
    with pytest.raises(gpu.Unanswered) as caught, gpu.open_nvml():
        pass
    assert caught.value.args == ("no driver", "see whether `nvidia-smi` works")
    assert nvml.asked == [], "what was not opened is not closed"
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert gpu.gpus() == []
    with pytest.raises(gpu.Unanswered) as caught, gpu.open_nvml():
        pass
    assert caught.value.args == ("nvidia-ml-py is not installed", "pip install nvidia-ml-py")
