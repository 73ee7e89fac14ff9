"""How training steps are proven, measured and told.

In a notebook: `bench.table(run)` is a run's table of eight columns, `bench.lines(run, way)` the time of each line of a
step, `bench.load(path, ...)` every timed round of stored runs, `bench.compare(base, head)` one row per case with its
verdict; each a pandas DataFrame. Nothing heavy is imported until it is asked for, so that a worker process starts with its
backend's library alone.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.analyse.comparison import compare
    from bench.analyse.lines import lines
    from bench.analyse.run import table
    from bench.record.frame import load

__version__ = "0.1.0"
__all__ = ["__version__", "compare", "lines", "load", "table"]
_MODULES = {
    "compare": "bench.analyse.comparison", "lines": "bench.analyse.lines", "load": "bench.record.frame",
    "table": "bench.analyse.run",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)
