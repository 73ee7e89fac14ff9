"""Are the GPUs ours alone, at a steady clock and not throttled? As NVIDIA's management library tells.

No CUDA context is opened: that would be a neighbour of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.doctor.finding import Finding, bad, ok, unknown
from bench.machine.files import Machine
from bench.machine.gpu import Unanswered, open_nvml

IDLE = 0x1
THROTTLES = {  # <nvml.h>, nvmlClocksThrottleReasons; application clocks (0x2) are a choice and no throttling
    0x4: "power cap", 0x8: "hardware slowdown", 0x10: "sync boost", 0x20: "heat (software)", 0x40: "heat (hardware)",
    0x80: "power brake", 0x100: "display clocks",
}  # fmt: skip
Question = Callable[[Any], Any]


def check(machine: Machine) -> list[Finding]:
    """A finding per question, over all GPUs; a single one where there is no GPU or it cannot be asked."""
    driver = machine.exists("/proc/driver/nvidia/version") or machine.exists("/dev/nvidiactl")
    none = ok("GPU", "none: no NVIDIA driver is loaded")
    try:
        with open_nvml() as nvml:
            driver = True  # it answers, wherever its files are
            gpus = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
            return [question(nvml, gpus) for question in (neighbours, throttling, persistence, clocks)] if gpus else [none]
    except Unanswered as silence:
        return [unknown("GPU", *silence.args) if driver else none]


def neighbours(nvml: Any, gpus: list[Any]) -> Finding:
    what = "GPU processes"

    def pids(gpu: Any) -> list[int]:
        running = [*nvml.nvmlDeviceGetComputeRunningProcesses(gpu), *nvml.nvmlDeviceGetGraphicsRunningProcesses(gpu)]
        return sorted({process.pid for process in running})

    answers = _asked(nvml, gpus, pids)
    if answers is None:
        return unknown(what, "the driver does not tell")
    if busy := [f"GPU {index}: {len(pids)} ({', '.join(map(str, pids))})" for index, pids in enumerate(answers) if pids]:
        return bad(what, "; ".join(busy), "end them or choose another GPU with BENCH_DEVICES; `nvidia-smi` names them")
    return ok(what, "none")


def throttling(nvml: Any, gpus: list[Any]) -> Finding:
    what = "GPU throttling"
    answers = _asked(nvml, gpus, nvml.nvmlDeviceGetCurrentClocksThrottleReasons)
    if answers is None:
        return unknown(what, "the driver does not tell")
    reasons = [[text for bit, text in THROTTLES.items() if mask & bit] for mask in answers]
    if throttled := [f"GPU {index}: {', '.join(why)}" for index, why in enumerate(reasons) if why]:
        return bad(what, "; ".join(throttled), "cool it better, or lock a lower clock: sudo nvidia-smi --lock-gpu-clocks=MHZ")
    return ok(what, "not now")


def persistence(nvml: Any, gpus: list[Any]) -> Finding:
    what = "GPU persistence"
    answers = _asked(nvml, gpus, nvml.nvmlDeviceGetPersistenceMode)
    if answers is None:
        return unknown(what, "the driver does not tell")
    if off := [f"GPU {index}" for index, mode in enumerate(answers) if not mode]:
        value = f"off on {', '.join(off)}: the driver unloads between processes and first steps wait for it"
        return bad(what, value, "sudo nvidia-smi --persistence-mode=1")
    return ok(what, "on")


def clocks(nvml: Any, gpus: list[Any]) -> Finding:
    """No public call tells whether clocks are locked, but only clocks that are not fall when the GPU idles."""
    what = "GPU clocks"

    def idling(gpu: Any) -> tuple[int, int, bool]:
        now, most = (ask(gpu, nvml.NVML_CLOCK_SM) for ask in (nvml.nvmlDeviceGetClockInfo, nvml.nvmlDeviceGetMaxClockInfo))
        return now, most, bool(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(gpu) & IDLE) and now < most

    advice = "sudo nvidia-smi --lock-gpu-clocks=MHZ, afterwards --reset-gpu-clocks"
    answers = _asked(nvml, gpus, idling)
    if answers is None:
        return unknown(what, "the driver does not tell", advice)
    speeds = [f"GPU {index} at {now} of {most} MHz" for index, (now, most, _) in enumerate(answers)]
    if loose := [speed for speed, (_, _, falls) in zip(speeds, answers, strict=True) if falls]:
        return bad(what, f"not locked: {', '.join(loose)} while idle", advice)
    return unknown(what, f"NVIDIA's library does not tell whether they are locked; {', '.join(speeds)} now", advice)


def _asked(nvml: Any, gpus: list[Any], question: Question) -> list[Any] | None:
    """One answer a GPU; None if any of them does not know."""
    try:
        return [question(gpu) for gpu in gpus]
    except nvml.NVMLError:
        return None
