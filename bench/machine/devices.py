"""Finds devices, versions of libraries, and the clocks of GPUs.

No library is imported before it is asked, and NVIDIA's is opened and closed here alone: a worker starts with this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from importlib import metadata
from typing import Any

from bench.errors import UsageError

PROCESSOR = "cpu"
ACCELERATORS = ("cuda",)  # called as torch calls them; a new kind is one entry


def kind_of(device: str) -> str:
    """`cuda`, of `cuda` or `cuda:1`."""
    return device.partition(":")[0]


def is_accelerator(device: str) -> bool:
    """Whether a step returns before its work is done, so that latency is something else than throughput.

    A worker's memory limit does not apply there: drivers reserve address space far beyond the memory that they use.
    """
    return kind_of(device) != PROCESSOR


def present() -> tuple[str, ...]:
    """The devices that are present: `cpu`, and `cuda` or, if there are several, `cuda:0`, `cuda:1`, ..."""
    names = [PROCESSOR]
    try:
        import torch
    except ModuleNotFoundError:
        return (PROCESSOR,)
    for kind in ACCELERATORS:
        number = int(torch.get_device_module(kind).device_count())
        names += [kind] if number == 1 else [f"{kind}:{index}" for index in range(number)]
    return tuple(names)


def explained(present: tuple[str, ...]) -> tuple[str, ...]:
    """The devices for which every backend says whether it can run there: without an accelerator also why not on CUDA."""
    return present if len(present) > 1 else (*present, "cuda")


def chosen(names: Sequence[str], present: tuple[str, ...]) -> tuple[str, ...]:
    """The devices that BENCH_DEVICES names, each once and called as in `present`. Raises `UsageError`."""
    if tuple(names) == ("all",):
        return present
    called = {name: device for device in present for name in (device, f"{device}:0", device.removesuffix(":0"))}
    if lost := [name for name in names if name not in called]:
        raise UsageError(f"BENCH_DEVICES={lost[0]}: no such device here; name some of {', '.join(present)}, or `all` alone.")
    return tuple(dict.fromkeys(called[name] for name in names))


def versions(names: Iterable[str]) -> dict[str, str]:
    """Distribution → version, of those that are installed."""
    found = {}
    for name in names:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


THROTTLES = {
    0x4: "power cap", 0x8: "hardware slowdown", 0x10: "sync boost", 0x20: "heat (software)", 0x40: "heat (hardware)",
    0x80: "power brake", 0x100: "display clocks",
}  # fmt: skip
"""Bits of nvmlClocksThrottleReasons in <nvml.h>. 0x1 says idle and 0x2 application clocks, which are no throttling."""


def held_back(gpu: Mapping[str, Any]) -> list[str]:
    """Why one of `gpus()` did not reach its clock; empty if nothing held it back."""
    return [reason for bit, reason in THROTTLES.items() if gpu.get("throttle_reasons", 0) & bit]


def gpus() -> list[dict[str, Any]]:
    """NVIDIA GPUs with their clocks (Hz) and throttle reasons now, without a CUDA context; empty without nvidia-ml-py or a
    driver."""
    try:
        import pynvml as library
    except ModuleNotFoundError:
        return []
    questions = {
        "name": library.nvmlDeviceGetName,
        "driver": lambda _: library.nvmlSystemGetDriverVersion(),
        "sm_clock_hz": lambda gpu: library.nvmlDeviceGetClockInfo(gpu, library.NVML_CLOCK_SM) * 1_000_000,
        "memory_clock_hz": lambda gpu: library.nvmlDeviceGetClockInfo(gpu, library.NVML_CLOCK_MEM) * 1_000_000,
        "throttle_reasons": library.nvmlDeviceGetCurrentClocksThrottleReasons,
    }
    found: list[dict[str, Any]] = []
    with suppress(library.NVMLError):
        library.nvmlInit()
        try:
            for index in range(library.nvmlDeviceGetCount()):
                found.append({"name": "gpu"})
                gpu = library.nvmlDeviceGetHandleByIndex(index)
                for name, question in questions.items():
                    with suppress(library.NVMLError):  # not every GPU answers every question
                        found[-1][name] = question(gpu)
        finally:
            library.nvmlShutdown()
    return found
