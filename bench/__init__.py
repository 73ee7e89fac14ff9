"""How training steps are proven, measured and told.

`bench.load(path, ...)` returns every timed round of stored runs as a tidy pandas DataFrame, `bench.compare(base, head)`
one row per case with its verdict. Nothing heavy is imported
until it is asked for, so that a worker process starts with its backend's library alone.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.analyse.comparison import compare
    from bench.record.frame import load

__version__ = "0.1.0"
__all__ = ["__version__", "compare", "load"]
_ROOMS = {"compare": "bench.analyse.comparison", "load": "bench.record.frame"}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_ROOMS[name]), name)
