"""Proves, times and compares training steps.

In a notebook, each a pandas DataFrame:

    import bench

    table = bench.table("results")  # the latest run: a way, its step in seconds, ratio, verdict
    slowest = bench.lines("results", table["way"].iloc[-1])  # its code, the seconds of each line
    slowest.nlargest(3, "seconds")
    rounds = bench.load("results")  # every timed round of every run

`bench.compare(base, head)` has one row per case with its verdict. Nothing heavy is imported until
it is asked for, so that a worker process starts with its backend's library alone.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.analyse.comparison import compare
    from bench.analyse.summaries import table
    from bench.record.frame import load
    from bench.show.code_lines import lines

__version__ = "0.1.0"
__all__ = ["__version__", "compare", "lines", "load", "table"]
_MODULES = {
    "compare": "bench.analyse.comparison", "lines": "bench.show.code_lines", "load": "bench.record.frame",
    "table": "bench.analyse.summaries",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)
