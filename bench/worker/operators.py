"""How often a step asks its framework for something: NumPy's calls by its own protocols, torch's by its profiler.

It must never import a framework that is not loaded already.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from backends.api import TrainStep
from bench.machine.devices import kind_of

ATEN = "aten::"
HELD, PEAK, ALLOCATED = "allocated_bytes.all.current", "allocated_bytes.all.peak", "allocated_bytes.all.allocated"


class Counting(np.ndarray[Any, Any]):
    """An array that counts what NumPy is asked to do with it; views such as `.T` are free."""

    calls = 0

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        Counting.calls += 1
        given = options.get("out", ())
        if given:
            options["out"] = tuple(map(_plain, given))
        result = getattr(ufunc, method)(*map(_plain, inputs), **options)
        return given[0] if given else _counted(result)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        Counting.calls += 1
        return _counted(function(*map(_plain, args), **{name: _plain(value) for name, value in options.items()}))

    def __setitem__(self, place: Any, value: Any) -> None:
        Counting.calls += 1
        _plain(self)[_plain(place)] = _plain(value)

    def copy(self, *args: Any, **options: Any) -> Any:
        Counting.calls += 1
        return _counted(_plain(self).copy(*args, **options))


def of_numpy(step: TrainStep) -> dict[str, int]:
    """`operators`: how often one call asks NumPy for something; nothing for a step whose arrays are not NumPy's."""
    arrays = {name: value for name, value in vars(step).items() if isinstance(value, np.ndarray)}
    Counting.calls = 0
    try:
        for name, array in arrays.items():
            setattr(step, name, array.view(Counting))
        step.step()
    except Exception:  # compiled code, say, takes NumPy's own arrays only: what was counted until then is no step
        return {}
    finally:
        for name, array in arrays.items():
            setattr(step, name, array)
    return {"operators": Counting.calls} if Counting.calls else {}


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):  # of arrays, as np.concatenate takes
        return type(value)(map(_plain, value))
    return value.view(np.ndarray) if isinstance(value, Counting) else value


def _counted(value: Any) -> Any:
    return value.view(Counting) if isinstance(value, np.ndarray) else value


def of_torch(step: TrainStep, device: str) -> dict[str, int]:
    """`operators` that one call asks ATen for, views included, not counting those that another one asked for.

    On an accelerator also `kernels`, and `allocated_bytes` and `peak_bytes` of its memory. Nothing for a step without torch.
    """
    torch: Any = sys.modules.get("torch")
    if torch is None:
        return {}
    queued, own = step.mark() is not None, kind_of(device).name.upper()
    kinds = torch.profiler.ProfilerActivity
    with torch.profiler.profile(activities=[kinds.CPU, *([getattr(kinds, own)] if queued else [])]) as seen:
        step.step()
        step.synchronize()
    events = [event for event in seen.events() if event.name.startswith(ATEN)]
    counts = {"operators": sum(1 for event in events if not (event.cpu_parent and event.cpu_parent.name.startswith(ATEN)))}
    if queued:
        ran = [event for event in seen.events() if event.device_type == getattr(torch.autograd.DeviceType, own)]
        counts["kernels"] = sum(1 for event in ran if not event.name.startswith("Mem"))
        torch.accelerator.reset_peak_memory_stats(device)
        before = torch.accelerator.memory_stats(device)
        step.step()
        step.synchronize()
        after = torch.accelerator.memory_stats(device)
        counts |= {"allocated_bytes": after[ALLOCATED] - before[ALLOCATED], "peak_bytes": after[PEAK] - before[HELD]}
    return counts if counts["operators"] or queued else {}
