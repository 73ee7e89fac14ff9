"""Are the GPUs ours alone, at a steady clock and not throttled? As NVIDIA's management library tells.

No CUDA context is opened: that would be a neighbour of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.doctor.checks import Finding, bad, ok, unknown
from bench.machine.devices import Unanswered, open_nvml
from bench.machine.resources import Machine

IDLE = 0x1
THROTTLES = {  # <nvml.h>, nvmlClocksThrottleReasons; application clocks (0x2) are a choice and no throttling
    0x4: "power cap", 0x8: "hardware slowdown", 0x10: "sync boost", 0x20: "heat (software)", 0x40: "heat (hardware)",
    0x80: "power brake", 0x100: "display clocks",
}  # fmt: skip
Question = Callable[[Any, Any], str]
"""Asks the library about a GPU: what is bad about it, empty if nothing is."""


def check(machine: Machine) -> dict[str, Finding]:
    """A finding per question, over all GPUs; a single one where there is no GPU or it cannot be asked."""
    driver = machine.exists("/proc/driver/nvidia/version") or machine.exists("/dev/nvidiactl")
    none = ok("none: no NVIDIA driver is loaded")
    try:
        with open_nvml() as nvml:
            driver = True  # it answers, wherever its files are
            gpus = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
            found = {what: _over_all(nvml, gpus, *question) for what, question in QUESTIONS.items()}
            return found if gpus else {"GPU": none}
    except Unanswered as silence:
        return {"GPU": unknown(*silence.args) if driver else none}


def _over_all(nvml: Any, gpus: list[Any], question: Question, quiet: Finding, advice: str) -> Finding:
    try:
        answers = [(index, question(nvml, gpu)) for index, gpu in enumerate(gpus)]
    except nvml.NVMLError:
        return unknown("the driver does not tell")
    complaints = "; ".join(f"GPU {index}: {answer}" for index, answer in answers if answer)
    return bad(complaints, advice) if complaints else quiet


def processes(nvml: Any, gpu: Any) -> str:
    running = [*nvml.nvmlDeviceGetComputeRunningProcesses(gpu), *nvml.nvmlDeviceGetGraphicsRunningProcesses(gpu)]
    pids = sorted({process.pid for process in running})
    return f"{len(pids)} ({', '.join(map(str, pids))})" if pids else ""


def throttling(nvml: Any, gpu: Any) -> str:
    mask = nvml.nvmlDeviceGetCurrentClocksThrottleReasons(gpu)
    return ", ".join(text for bit, text in THROTTLES.items() if mask & bit)


def persistence(nvml: Any, gpu: Any) -> str:
    return "" if nvml.nvmlDeviceGetPersistenceMode(gpu) else "off"


def clocks(nvml: Any, gpu: Any) -> str:
    """No public call tells whether clocks are locked, but only clocks that are not fall when the GPU idles."""
    now, most = (ask(gpu, nvml.NVML_CLOCK_SM) for ask in (nvml.nvmlDeviceGetClockInfo, nvml.nvmlDeviceGetMaxClockInfo))
    idle = nvml.nvmlDeviceGetCurrentClocksThrottleReasons(gpu) & IDLE
    return f"not locked, at {now} of {most} MHz while idle" if idle and now < most else ""


LOCK = "sudo nvidia-smi --lock-gpu-clocks=MHZ"
QUESTIONS = {
    "GPU processes": (
        processes, ok("none"), "end them or choose another GPU with BENCH_DEVICES; `nvidia-smi` names them",
    ),
    "GPU throttling": (throttling, ok("not now"), f"cool it better, or lock a lower clock: {LOCK}"),
    "GPU persistence": (
        persistence, ok("on"),
        "sudo nvidia-smi --persistence-mode=1: the driver unloads between processes and first steps wait for it",
    ),
    "GPU clocks": (
        clocks, unknown("NVIDIA's library does not tell whether they are locked", f"{LOCK}, afterwards --reset-gpu-clocks"),
        f"{LOCK}, afterwards --reset-gpu-clocks",
    ),
}  # fmt: skip
"""Check → the question, what is found where it has no complaint, and the advice where it has one."""
