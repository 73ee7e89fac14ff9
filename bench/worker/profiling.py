"""What a step consists of, looked at once and outside timing: its losses, its operators and kernels, its memory.

A process that was profiled is not timed afterwards.
"""

from __future__ import annotations

import tempfile
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np

from backends import reference
from backends.api import TrainStep, weights_dtype
from bench.errors import missing
from bench.worker import operators
from bench.worker.visits import Opened

EPOCHS = 10
MEMORY_CALLS = 10


def profile(opened: Opened, problem_seed: int) -> dict[str, Any]:
    """Losses of ten epochs beside the reference's, and per training step what can be counted; what cannot is left out.

    `uncounted` says what a library that is not installed would have counted.
    """
    step, problem = opened.step, opened.case.problem(problem_seed)
    every = step.steps_per_call
    calls = max(1, EPOCHS // every)
    step.set_weights(*(np.ascontiguousarray(w, weights_dtype(opened.case.dtype)) for w in (problem.w1, problem.w2)))
    step.synchronize()
    losses = [float(step.step()) for _ in range(calls)]
    expected = reference.train(problem, calls * every).losses[every - 1 :: every]
    asked = operators.of_numpy(step) | operators.of_torch(step, opened.case.device)
    uncounted = {} if util.find_spec("memray") else {"uncounted": str(missing("memray", "memory of a step", "memory"))}
    counts = ({} if uncounted else memory(step, MEMORY_CALLS)) | asked | step.counts()
    shares = {name: count if name.startswith("peak") else count / every for name, count in counts.items()}
    return {"losses": losses, "expected_losses": expected.tolist(), **shares, **uncounted}


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
