"""If these fail, a GPU that others use, or whose clock wanders, passes for a good instrument."""

import sys
from types import SimpleNamespace

import pytest

from bench.doctor import gpu

CHECKS = ("GPU processes", "GPU throttling", "GPU persistence", "GPU clocks")


class _Nvml(SimpleNamespace):
    """A stand-in for NVIDIA's library: one GPU, quiet unless told otherwise."""

    class NVMLError(Exception):
        pass

    def __init__(self, pids=(), reasons=0, persistence=1, clock=1980):
        running = [SimpleNamespace(pid=pid) for pid in pids]
        super().__init__(
            NVML_CLOCK_SM=1,
            nvmlInit=lambda: None,
            nvmlShutdown=lambda: None,
            nvmlDeviceGetCount=lambda: 1,
            nvmlDeviceGetHandleByIndex=lambda index: index,
            nvmlDeviceGetComputeRunningProcesses=lambda gpu: running,
            nvmlDeviceGetGraphicsRunningProcesses=lambda gpu: running[:1],
            nvmlDeviceGetCurrentClocksThrottleReasons=lambda gpu: reasons,
            nvmlDeviceGetPersistenceMode=lambda gpu: persistence,
            nvmlDeviceGetClockInfo=lambda gpu, kind: clock,
            nvmlDeviceGetMaxClockInfo=lambda gpu, kind: 1980,
        )

    def silent(self, *_):
        raise self.NVMLError("not supported")


@pytest.mark.parametrize(
    ("changes", "what", "value", "advice"),
    [
        ({"pids": (7, 8)}, "GPU processes", "GPU 0: 2 (7, 8)", "BENCH_DEVICES"),
        ({"reasons": 0x4 | 0x40}, "GPU throttling", "GPU 0: power cap, heat (hardware)", "cool it better"),
        ({"persistence": 0}, "GPU persistence", "off on GPU 0", "nvidia-smi --persistence-mode=1"),
        ({"reasons": 0x1, "clock": 345}, "GPU clocks", "not locked: GPU 0 at 345 of 1980 MHz", "--lock-gpu-clocks"),
    ],
)
def test_a_gpu_that_is_not_ours_alone_or_not_steady(changes, what, value, advice, machine, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", _Nvml(**changes))
    (found,) = [finding for finding in gpu.check(machine({})) if finding.state == "bad"]
    assert (found.what, found.value[: len(value)]) == (what, value)
    assert advice in found.advice


def test_a_quiet_gpu_and_one_that_does_not_tell(machine, monkeypatch):
    nvml = _Nvml()
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    assert [(finding.what, finding.state) for finding in gpu.check(machine({}))] == list(
        zip(CHECKS, ["ok", "ok", "ok", "unknown"], strict=True)
    )
    for name in ("ComputeRunningProcesses", "CurrentClocksThrottleReasons", "PersistenceMode", "ClockInfo"):
        setattr(nvml, f"nvmlDeviceGet{name}", nvml.silent)
    assert {finding.state for finding in gpu.check(machine({}))} == {"unknown"}


@pytest.mark.parametrize("missing", [True, False], ids=["no library", "no driver"])
def test_no_gpu_is_fine_but_one_that_cannot_be_asked_is_unknown(missing, machine, monkeypatch):
    nvml = _Nvml()
    nvml.nvmlInit = nvml.silent
    monkeypatch.setitem(sys.modules, "pynvml", None if missing else nvml)
    assert [finding.state for finding in gpu.check(machine({}))] == ["ok"]
    (found,) = gpu.check(machine({"proc/driver/nvidia/version": "NVRM"}))
    assert found.state == "unknown"
    assert found.advice
