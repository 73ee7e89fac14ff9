"""If these fail, a GPU that others use, or whose clock wanders, passes for a good instrument."""

import sys
from types import SimpleNamespace

import pytest

from bench.doctor import gpu
from tests.support import fake_nvml, unanswered

QUIET = {"GPU processes": "ok", "GPU throttling": "ok", "GPU persistence": "ok", "GPU clocks": "unknown"}


@pytest.mark.parametrize(
    ("answers", "what", "value", "advice"),
    [
        ({"ComputeRunningProcesses": [SimpleNamespace(pid=7), SimpleNamespace(pid=8)],
          "GraphicsRunningProcesses": [SimpleNamespace(pid=7), SimpleNamespace(pid=9)]},
         "GPU processes", "GPU 0: 3 (7, 8, 9); GPU 1: 3", "BENCH_DEVICES"),
        ({"CurrentClocksThrottleReasons": 0x44}, "GPU throttling", "GPU 0: power cap, heat (hardware); GPU 1", "cool it"),
        ({"PersistenceMode": 0}, "GPU persistence", "GPU 0: off; GPU 1: off", "nvidia-smi --persistence-mode=1"),
        ({"CurrentClocksThrottleReasons": 1, "ClockInfo": 345},
         "GPU clocks", "GPU 0: not locked, at 345 of 1980 MHz while idle; GPU 1", "--lock-gpu"),
    ],
)  # fmt: skip
def test_a_gpu_that_is_not_ours_alone_or_not_steady(answers, what, value, advice, machine, monkeypatch):
    given = {name: lambda *_, value=value: value for name, value in answers.items()}
    monkeypatch.setitem(sys.modules, "pynvml", fake_nvml(gpus=2, **given))
    found = gpu.check(machine({}))
    assert {name: finding.state for name, finding in found.items()} == QUIET | {what: "bad"}
    assert found[what].value.startswith(value)
    assert advice in found[what].advice


def test_a_quiet_gpu_and_one_that_supports_no_query(machine, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", fake_nvml(ClockInfo=lambda *_: 345))  # low, but not because it idles
    assert {what: finding.state for what, finding in gpu.check(machine({})).items()} == QUIET
    names = ("ComputeRunningProcesses", "CurrentClocksThrottleReasons", "PersistenceMode", "ClockInfo")
    monkeypatch.setitem(sys.modules, "pynvml", fake_nvml(**dict.fromkeys(names, unanswered)))
    assert {what: finding.state for what, finding in gpu.check(machine({})).items()} == dict.fromkeys(QUIET, "unknown")


@pytest.mark.parametrize("missing", [True, False], ids=["no library", "no driver"])
def test_no_gpu_is_fine_but_one_that_cannot_be_asked_is_unknown(missing, machine, monkeypatch):
    nvml = fake_nvml()
    nvml.nvmlInit = unanswered
    monkeypatch.setitem(sys.modules, "pynvml", None if missing else nvml)
    assert [finding.state for finding in gpu.check(machine({})).values()] == ["ok"]
    (found,) = gpu.check(machine({"proc/driver/nvidia/version": "NVRM"})).values()
    assert (found.state, bool(found.advice)) == ("unknown", True)
