"""The kinds of device: how they are named and counted, and what measuring on each takes. A new kind is one entry in `KINDS`.

No library is imported before it is asked, and NVIDIA's is opened and closed here alone: a worker starts with this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from bench.errors import UsageError, unknown


def _torch_count(kind: str) -> int:
    try:
        import torch
    except ModuleNotFoundError:
        return 0
    return int(torch.get_device_module(kind).device_count())


@dataclass(frozen=True)
class Kind:
    """What differs between kinds of device. The defaults are an accelerator's."""

    name: str
    count: Callable[[str], int] = _torch_count
    """How many of the kind, given its name, are present."""
    several: bool = True
    """Whether a machine may have more than one, addressed as `cuda:1`."""
    queued: bool = True
    """Whether a step returns before its work is done, so that latency is something else than throughput."""
    limited: bool = False
    """Whether a worker's memory limit applies: drivers reserve address space far beyond the memory that they use."""


KINDS = {
    kind.name: kind
    for kind in (
        Kind("cpu", count=lambda _: 1, several=False, queued=False, limited=True),
        Kind("cuda"),
    )
}


def kind_of(device: str) -> Kind:
    """The kind of `cuda` or `cuda:1`; of a name that only some other version knows, an accelerator's."""
    name = device.partition(":")[0]
    return KINDS.get(name, Kind(name))


def present() -> tuple[str, ...]:
    """The devices that are present: `cpu`, and `cuda` or, if there are several, `cuda:0`, `cuda:1`, ..."""
    names: list[str] = []
    for kind in KINDS.values():
        count = kind.count(kind.name)
        names += [kind.name] if count == 1 else [f"{kind.name}:{index}" for index in range(count)]
    return tuple(names)


def explained(present: tuple[str, ...]) -> tuple[str, ...]:
    """The devices for which every backend says whether it can run there: without an accelerator also why not on CUDA."""
    return present if len(present) > 1 else (*present, "cuda")


def chosen(names: Sequence[str], present: tuple[str, ...]) -> tuple[str, ...]:
    """The devices that BENCH_DEVICES names, each once and called as in `present`. Raises `UsageError`."""
    if tuple(names) == ("all",):
        return present
    called = {_place(device): device for device in present}
    devices: dict[str, None] = {}
    for name in names:
        if name == "all":
            raise UsageError("BENCH_DEVICES: `all` stands alone; name devices or write BENCH_DEVICES=all.")
        place = _place(name)
        if place is None:
            examples = [text for kind in KINDS.values() for text in (kind.name, f"{kind.name}:1")[: 1 + kind.several]]
            raise unknown("device", name, [*dict.fromkeys([*present, *examples, "all"])], "BENCH_DEVICES")
        if place not in called:
            raise UsageError(f"BENCH_DEVICES={name}: no such device here; present: {', '.join(present)}.")
        devices[called[place]] = None
    return tuple(devices)


def _place(device: str) -> tuple[str, int] | None:
    """Kind and index, the first one's where none is given; None for what is no device's name."""
    kind, colon, index = device.partition(":")
    if kind not in KINDS or (colon and not (KINDS[kind].several and index.isdecimal())):
        return None
    return kind, int(index or 0)


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
