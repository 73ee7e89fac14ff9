"""What a step consists of, looked at once and outside timing: its losses, its operators and kernels, its memory.

A process that was profiled is not timed afterwards.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from importlib import util
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from backends.api import TrainStep
from bench.errors import missing
from bench.worker import operators
from bench.worker.visits import LoadedStep

MEMORY_CALLS = 10


def profile(loaded: LoadedStep, state: Sequence[NDArray[Any]], calls: int) -> dict[str, Any]:
    """Losses of as many calls from this state, and per training step what can be counted; what cannot is left out.

    `uncounted` says what a library that is not installed would have counted.
    """
    step = loaded.step
    every = step.steps_per_call
    step.set_state(*state)
    step.synchronize()
    losses = [float(step.step()) for _ in range(calls)]
    asked = operators.of_numpy(step) | operators.of_torch(step, loaded.case.device)
    uncounted = {} if util.find_spec("memray") else {"uncounted": str(missing("memray", "memory of a step", "memory"))}
    counts = ({} if uncounted else memory(step, MEMORY_CALLS)) | asked | step.counts()
    shares = {name: count if name.startswith("peak") else count / every for name, count in counts.items()}
    return {"losses": losses, **shares, **uncounted}


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
