"""What a step consists of, looked at once and outside timing: kernels, memory, time of each line.

A process that was profiled is not timed afterwards.
"""

from __future__ import annotations

import sys
import tempfile
from importlib import util
from pathlib import Path
from typing import Any

from backends.api import TrainStep
from bench.errors import missing
from bench.machine.devices import kind_of
from bench.worker import lines

MEMORY_CALLS = 10
HELD, PEAK, ALLOCATED = "allocated_bytes.all.current", "allocated_bytes.all.peak", "allocated_bytes.all.allocated"
EXTRAS = {
    "line_profiler": ("time of each line of a step", "lines"),
    "memray": ("memory of a step", "memory"),
}
"""Optional library -> what it measures, and the project's extra that has it."""


def profile(step: TrainStep, device: str) -> dict[str, Any]:
    """Per training step what can be counted; what cannot is left out.

    `uncounted` says what a library that is not installed would have counted.
    """
    found: dict[str, Any] = {}
    absent = {library for library in EXTRAS if not util.find_spec(library)}
    if "line_profiler" not in absent:
        found["lines"] = lines.of(step)
    if backward := lines.backward(step, device):
        found["backward"] = backward
    counts = ({} if "memray" in absent else memory(step, MEMORY_CALLS)) | on_device(step, device)
    found |= {name: count if name.startswith("peak") else count / step.steps_per_call for name, count in counts.items()}
    if absent:
        found["uncounted"] = " ".join(str(missing(library, *EXTRAS[library])) for library in sorted(absent))
    return found


def memory(step: TrainStep, calls: int) -> dict[str, int]:
    """Bytes of host memory that a call allocates, and the most held at once, as memray sees them."""
    import memray  # optional, and slow to load

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "allocations"
        with memray.Tracker(file):
            for _ in range(calls):
                step.step()
            step.synchronize()
        with memray.FileReader(file) as reader:
            allocated = sum(record.size for record in reader.get_allocation_records())
            peak: int = reader.metadata.peak_memory
    return {"allocated_bytes": allocated // calls, "peak_bytes": peak}


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
