"""What a step shares with every other step of its process, read before and after it so that a change is seen.

Imports no library that is not loaded already, and sets nothing.
"""

from __future__ import annotations

import gc
import hashlib
import os
import random
import sys
from typing import Any

import numpy as np
import threadpoolctl

NOTES = ("TORCHINDUCTOR_", "_TORCHINDUCTOR_")
"""Variables that torch's compiler keeps for itself, from the moment it is loaded."""


def snapshot() -> dict[str, Any]:
    """Name → value of the process-wide state that a step has no business to change."""
    generator: Any = np.random.get_state(legacy=False)
    state: dict[str, Any] = {
        "Python's random state": _digest(random.getstate()),
        "NumPy's global random state": _digest((generator["state"]["key"].tobytes(), generator["state"]["pos"])),
        "NumPy's error handling": np.geterr(),
        "the garbage collector": (gc.isenabled(), gc.get_threshold()),
        "the flushing of small numbers to 0": sys.float_info.min * 0.5 == 0,
        "the tracing of Python code": (sys.gettrace() is not None, sys.getprofile() is not None),
        "the priority": (os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0)),
        "the environment variables": _digest(sorted(v for v in os.environ.items() if not v[0].startswith(NOTES))),
        "the working directory": os.getcwd(),
        "the CPU affinity": sorted(os.sched_getaffinity(0)),
        "the thread counts": thread_counts(),
    }
    if torch := sys.modules.get("torch"):
        state |= {
            "torch's default dtype": str(torch.get_default_dtype()),
            "torch's random state": _digest(torch.get_rng_state().numpy().tobytes()),
            "torch's gradient mode": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
            "torch's anomaly detection": torch.is_anomaly_enabled(),
            "torch's autocast": (torch.is_autocast_enabled("cpu"), torch.is_autocast_enabled("cuda")),
            "torch's default device": str(torch.get_default_device()),
            "torch's use of oneDNN": torch.backends.mkldnn.enabled,
            "torch's float32 matmul precision": torch.get_float32_matmul_precision(),
            "torch's TF32 switches": (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32),
            "torch's deterministic mode": torch.are_deterministic_algorithms_enabled(),
        }
    return state


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """One phrase per difference; thread pools that were loaded in between are no change."""
    phrases = []
    for name, value in before.items():
        now = after[name]
        if isinstance(value, dict):
            now = {key: now[key] for key in value if key in now}
        if now != value:
            shown = "" if isinstance(value, str) and len(value) == 64 else f" ({value} → {now})"
            phrases.append(f"{name}{shown}")
    return phrases


def thread_counts() -> dict[str, int]:
    """Thread pool → the number of threads it computes with, read back from the libraries themselves."""
    counts = {
        f"{pool['internal_api']} ({os.path.basename(pool['filepath'])})": pool["num_threads"]
        for pool in threadpoolctl.threadpool_info()
    }
    if torch := sys.modules.get("torch"):
        counts["torch"] = torch.get_num_threads()
    return counts


def _digest(value: Any) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()
