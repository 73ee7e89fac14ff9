"""If these fail, a GPU that others use, or whose clock wanders, passes for a good instrument."""

import sys
from types import SimpleNamespace

import pytest

from bench.doctor import gpu

CHECKS = ("GPU processes", "GPU throttling", "GPU persistence", "GPU clocks")


class _Error(Exception):
    pass


def _silent(*_):
    raise _Error("not supported")


def _nvml(pids=(), reasons=0, persistence=1, clock=1980):
    """A stand-in for NVIDIA's library: one GPU, quiet by default."""
    running = [SimpleNamespace(pid=pid) for pid in pids]
    return SimpleNamespace(
        NVMLError=_Error,
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


@pytest.mark.parametrize(
    ("changes", "what", "value", "advice"),
    [
        ({"pids": (7, 8)}, "GPU processes", "GPU 0: 2 (7, 8)", "BENCH_DEVICES"),
        ({"reasons": 0x44}, "GPU throttling", "GPU 0: power cap, heat (hardware)", "cool it"),
        ({"persistence": 0}, "GPU persistence", "off on GPU 0", "nvidia-smi --persistence-mode=1"),
        ({"reasons": 1, "clock": 345}, "GPU clocks", "not locked: GPU 0 at 345 of", "--lock-gpu"),
    ],
)
def test_a_gpu_that_is_not_ours_alone_or_not_steady(
    changes, what, value, advice, machine, monkeypatch
):
    monkeypatch.setitem(sys.modules, "pynvml", _nvml(**changes))
    (found,) = [finding for finding in gpu.check(machine({})) if finding.state == "bad"]
    assert (found.what, found.value[: len(value)]) == (what, value)
    assert advice in found.advice


def test_a_quiet_gpu_and_one_that_supports_no_query(machine, monkeypatch):
    nvml = _nvml()
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    states = {finding.what: finding.state for finding in gpu.check(machine({}))}
    assert states == dict(zip(CHECKS, ["ok", "ok", "ok", "unknown"], strict=True))
    for name in ("ComputeRunningProcesses", "CurrentClocksThrottleReasons", "PersistenceMode"):
        setattr(nvml, f"nvmlDeviceGet{name}", _silent)
    nvml.nvmlDeviceGetClockInfo = _silent
    assert {finding.state for finding in gpu.check(machine({}))} == {"unknown"}


@pytest.mark.parametrize("missing", [True, False], ids=["no library", "no driver"])
def test_no_gpu_is_fine_but_one_that_cannot_be_asked_is_unknown(missing, machine, monkeypatch):
    nvml = _nvml()
    nvml.nvmlInit = _silent
    monkeypatch.setitem(sys.modules, "pynvml", None if missing else nvml)
    assert [finding.state for finding in gpu.check(machine({}))] == ["ok"]
    (found,) = gpu.check(machine({"proc/driver/nvidia/version": "NVRM"}))
    assert (found.state, bool(found.advice)) == ("unknown", True)
