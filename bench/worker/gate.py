"""The worker's part of a proof: it takes the steps, hands out losses and weights to be compared, and sees whether a step
changes what it shares with the rest of its process."""

from __future__ import annotations

import gc
import hashlib
import os
import random
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import threadpoolctl
from numpy.typing import NDArray

from backends.api import Problem, TrainStep, weights_dtype
from bench.errors import Wrong
from bench.region import DTYPES

Arrays = Sequence[NDArray[Any]]
About = Mapping[str, Any]
"""A problem without its arrays, as the judge sends it."""
Build = type[TrainStep]
NOTES = ("TORCHINDUCTOR_", "_TORCHINDUCTOR_")
"""Variables that torch's compiler keeps for itself, from the moment it is loaded."""


def problem_from(arrays: Arrays, about: About) -> Problem:
    """The problem of these arrays, data and then state, with the names that the judge sent."""
    names, count = about["data"], len(about["data"])
    data = dict(zip(names, arrays[:count], strict=True))
    state = dict(zip(about["state"], arrays[count:], strict=True))
    return Problem(tuple(about["shape"]), data, state, about["constants"])


def hand_out(step: TrainStep, losses: Sequence[Any], dtype: str, names: Sequence[str]) -> Arrays:
    """Losses and state as they go to the judge. Raises `Wrong` for what it could not read."""
    state = list(step.get_state())
    if len(state) != len(names):
        raise Wrong(f"hands out {len(state)} arrays, expected {len(names)}: {', '.join(names)}")
    for name, array in zip(names, state, strict=True):
        is_array = isinstance(array, np.ndarray)
        if not is_array or array.dtype.name not in DTYPES:
            found = f"{array.dtype} {array.shape}" if is_array else type(array).__name__
            raise Wrong(f"hands out {name} as {found}, expected an array of {weights_dtype(dtype)}")
    return [np.array([fetch(loss) for loss in losses]), *state]


def fetch(loss: Any) -> float:
    """A loss as a number. Raises `Wrong` for a value that is none."""
    try:
        return float(loss)
    except (TypeError, ValueError):
        if callable(loss):
            raise Wrong("step() returns a method and not the loss: call it, or return the loss itself") from None
        raise Wrong(f"step() returns {type(loss).__name__}, expected the loss") from None


def prove(build: Build, device: str, dtype: str, arrays: Arrays, about: About, calls: int) -> list[NDArray[Any]]:
    """A call on a fresh problem, then `calls` from another state: losses and state after each.

    Raises `Wrong` for what only this process sees: a changed input, arrays kept or shared.
    """
    names, count = about["state"], len(about["data"]) + len(about["state"])
    problem = problem_from(arrays[:count], about)
    inputs = {**problem.data, **problem.state}
    before = {name: array.copy() for name, array in inputs.items()}
    step = build(problem, device, dtype)
    loss = step.step()
    step.synchronize()
    once = [array.copy() for array in hand_out(step, [loss], dtype, names)]
    for name, array in inputs.items():
        if not np.array_equal(array, before[name]):
            raise Wrong(f"writes to its input: Problem.{name} has changed; copy it before changing it")

    given = list(arrays[count:])
    step.set_state(*given)
    for array in given:
        array.fill(np.nan)  # a step that kept the arrays instead of copying them ends in NaN
    losses = [fetch(step.step()) for _ in range(calls)]
    step.synchronize()
    others = hand_out(step, losses, dtype, names)
    kept = [array.copy() for array in others]

    for array in others[1:]:
        array.fill(np.nan)
    pairs = zip(step.get_state(), kept[1:], strict=True)
    if not all(np.array_equal(*pair, equal_nan=True) for pair in pairs):
        raise Wrong("hands out its own arrays instead of copies: writing to what get_state() gave changes the step")
    return [*once, *kept]


def take_turns(build: Build, device: str, dtype: str, arrays: Arrays, about: About, calls: int) -> list[NDArray[Any]]:
    """Two steps of one class, called in turns: losses and state of both."""
    half = len(arrays) // 2
    steps = [build(problem_from(own, about), device, dtype) for own in (arrays[:half], arrays[half:])]
    losses = [[fetch(step.step()) for step in steps] for _ in range(calls)]
    for step in steps:
        step.synchronize()
    pairs = zip(steps, zip(*losses, strict=True), strict=True)
    return [array for step, own in pairs for array in hand_out(step, own, dtype, about["state"])]


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
