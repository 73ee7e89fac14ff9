"""NVIDIA's management library, opened and closed in one place, and what a run records of the GPUs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any


class Unanswered(Exception):
    """The GPUs cannot be asked: why, and what to do about it."""


@contextmanager
def open_nvml() -> Iterator[Any]:
    """NVIDIA's library while it is open, without a CUDA context. Raises `Unanswered`, for errors inside of the block too."""
    try:
        import pynvml
    except ModuleNotFoundError:
        raise Unanswered("nvidia-ml-py is not installed", "pip install nvidia-ml-py") from None
    try:
        pynvml.nvmlInit()
        try:
            yield pynvml
        finally:
            pynvml.nvmlShutdown()
    except pynvml.NVMLError as error:
        raise Unanswered(str(error), "see whether `nvidia-smi` works") from None


def gpus() -> list[dict[str, Any]]:
    """NVIDIA GPUs with their clocks (Hz) and throttle reasons now; empty without nvidia-ml-py or a driver."""
    found: list[dict[str, Any]] = []
    with suppress(Unanswered), open_nvml() as library:
        questions = {
            "name": library.nvmlDeviceGetName,
            "driver": lambda _: library.nvmlSystemGetDriverVersion(),
            "sm_clock_hz": lambda gpu: library.nvmlDeviceGetClockInfo(gpu, library.NVML_CLOCK_SM) * 1_000_000,
            "memory_clock_hz": lambda gpu: library.nvmlDeviceGetClockInfo(gpu, library.NVML_CLOCK_MEM) * 1_000_000,
            "throttle_reasons": library.nvmlDeviceGetCurrentClocksThrottleReasons,
        }
        for index in range(library.nvmlDeviceGetCount()):
            found.append({"name": "gpu"})
            gpu = library.nvmlDeviceGetHandleByIndex(index)
            for name, question in questions.items():
                with suppress(library.NVMLError):  # not every GPU answers every question
                    found[-1][name] = question(gpu)
    return found
