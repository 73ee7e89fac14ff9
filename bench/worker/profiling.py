"""What a step consists of, looked at once and outside timing: kernels, memory, time of each line.

A process that was profiled is not timed afterwards. line_profiler and torch's profiler make the step slower, so the times of
lines and of what autograd evaluates are shares of a step; `bench.show.code_lines` scales them.
"""

from __future__ import annotations

import inspect
import sys
import tempfile
from collections.abc import Callable
from importlib import util
from pathlib import Path
from time import perf_counter
from types import CodeType, FrameType
from typing import Any

import numpy as np

from backends.api import TrainStep
from bench.errors import missing
from bench.machine.devices import is_accelerator, kind_of
from bench.plan.discovery import INHERITED, step_owner

MEMORY_CALLS = 10
HELD, PEAK, ALLOCATED = "allocated_bytes.all.current", "allocated_bytes.all.peak", "allocated_bytes.all.allocated"
EXTRAS = {"line_profiler": ("time of each line of a step", "lines"), "memray": ("memory of a step", "memory")}
"""Optional library -> what it measures, and the project's extra that has it."""
CALLS, LEAST, SECONDS = 800, 12, 0.5
"""So many calls, fewer where they would take longer than `SECONDS`, and never fewer than `LEAST`."""
LOW = 2
"""The percentile of a line's times: a line is short, and a disturbance falls on few of its calls."""
BACKWARD_CALLS = 20
EVALUATES = "autograd::engine::evaluate_function: "


def profile(step: TrainStep, device: str) -> dict[str, Any]:
    """Per training step what can be counted; what cannot is left out.

    `uncounted` says what a library that is not installed would have counted.
    """
    found: dict[str, Any] = {}
    absent = {library for library in EXTRAS if not util.find_spec(library)}
    if "line_profiler" not in absent:
        found["lines"] = lines(step)
    if seconds := backward(step, device):
        found["backward"] = seconds
    counts = ({} if "memray" in absent else memory(step)) | on_device(step, device)
    found |= {name: count if name.startswith("peak") else count / step.steps_per_call for name, count in counts.items()}
    if absent:
        found["uncounted"] = " ".join(str(missing(library, *EXTRAS[library])) for library in sorted(absent))
    return found


def memory(step: TrainStep) -> dict[str, int]:
    """Bytes of host memory that a call allocates, and the most held at once, as memray sees them."""
    import memray  # optional, and slow to load

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "allocations"
        with memray.Tracker(file):
            for _ in range(MEMORY_CALLS):
                step.step()
            step.synchronize()
        with memray.FileReader(file) as reader:
            allocated = sum(record.size for record in reader.get_allocation_records())
            peak: int = reader.metadata.peak_memory
    return {"allocated_bytes": allocated // MEMORY_CALLS, "peak_bytes": peak}


def on_device(step: TrainStep, device: str) -> dict[str, int]:
    """`kernels` that a call of a torch step starts on an accelerator, and the bytes of its memory; nothing for other steps."""
    torch: Any = sys.modules.get("torch")
    if torch is None or step.mark() is None:
        return {}
    own, kinds = kind_of(device).upper(), torch.profiler.ProfilerActivity
    with torch.profiler.profile(activities=[kinds.CPU, getattr(kinds, own)]) as seen:
        step.step()
        step.synchronize()
    ran = [event for event in seen.events() if event.device_type == getattr(torch.autograd.DeviceType, own)]
    torch.accelerator.reset_peak_memory_stats(device)
    before = torch.accelerator.memory_stats(device)
    step.step()
    step.synchronize()
    after = torch.accelerator.memory_stats(device)
    return {
        "kernels": sum(1 for event in ran if not event.name.startswith("Mem")),
        "allocated_bytes": after[ALLOCATED] - before[ALLOCATED],
        "peak_bytes": after[PEAK] - before[HELD],
    }


def lines(step: TrainStep) -> dict[str, float]:
    """Line of the backend's source, as `discovery.describe` has it → seconds per step."""
    from line_profiler import LineProfiler  # optional, and never loaded before the last timing

    owner = step_owner(type(step))
    profiler = LineProfiler(inspect.unwrap(owner.step))
    calls: list[dict[int, int]] = [{}]  # ticks of each line, all calls until then together
    end = perf_counter() + SECONDS
    while len(calls) <= LEAST or (len(calls) <= CALLS and perf_counter() < end):
        profiler.enable_by_count()
        step.step()
        profiler.disable_by_count()
        step.synchronize()
        stats = profiler.get_stats()
        (timings,) = stats.timings.values()
        calls.append({line: ticks for line, _, ticks in timings})
    warm = calls[len(calls) // 4 :]
    inherits = owner is not type(step)  # then the described source has the file that defines `step` last
    first = (Path(inspect.getfile(type(step))).read_text(encoding="utf-8") + INHERITED).count("\n") if inherits else 0
    own = _traced(step.step, inspect.unwrap(owner.step).__code__)
    cost = _cost(profiler) if own else 0.0
    found = {}
    for line in sorted(calls[-1]):
        ticks = float(np.percentile(np.diff([each.get(line, 0) for each in warm]), LOW))
        seconds = max(ticks * stats.unit - cost * own.get(line, 0), 0.0)
        found[str(first + line)] = seconds / step.steps_per_call
    return found


def _traced(call: Callable[[], Any], code: CodeType) -> dict[int, int]:
    """Line of `code` → how many events the tracer sees in other Python functions below it: calls, lines and returns."""
    counts: dict[int, int] = {}
    now = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal now
        if frame.f_code is not code:
            counts[now] = counts.get(now, 0) + 1
        elif event == "line":
            now = frame.f_lineno
        return trace

    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(None)
    return counts


def _cost(profiler: Any) -> float:
    """Seconds that the tracer adds to an event in a function that is not profiled."""

    def seconds() -> float:
        start = perf_counter()
        _ordinary([1.0] * 30)
        return perf_counter() - start

    plain = [seconds() for _ in range(CALLS)]
    profiler.enable_by_count()
    traced = [seconds() for _ in range(CALLS)]
    profiler.disable_by_count()
    events = sum(_traced(seconds, seconds.__code__).values())
    return max(0.0, float(np.percentile(traced, LOW) - np.percentile(plain, LOW)) / events)


def _ordinary(values: list[float]) -> list[Any]:
    kept = []
    for value in values:
        number = _real(value)
        if number is not None and isinstance(number, float):
            kept.append((value, number))
    return kept


def _real(value: float) -> Any:
    return getattr(value, "real", None)


def backward(step: TrainStep, device: str) -> dict[str, float]:
    """What autograd evaluates → seconds per step on the host; empty for a step whose code does not call `backward()`."""
    torch: Any = sys.modules.get("torch")
    if torch is None or is_accelerator(device) or ".backward(" not in inspect.getsource(step_owner(type(step))):
        return {}
    with torch.autograd.profiler.profile(use_kineto=False) as seen:  # Kineto takes two seconds to start
        for _ in range(BACKWARD_CALLS):
            step.step()
    times: dict[str, list[float]] = {}
    for event in seen.function_events:
        if event.name.startswith(EVALUATES):
            times.setdefault(event.name.removeprefix(EVALUATES), []).append(event.cpu_time_total)
    found = {
        name: float(np.percentile(np.reshape(each, (BACKWARD_CALLS, -1)).sum(1), LOW)) * 1e-6
        for name, each in times.items()
        if len(each) % BACKWARD_CALLS == 0
    }
    return {name: found[name] / step.steps_per_call for name in sorted(found, key=lambda name: -found[name])}
