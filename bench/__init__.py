"""How training steps are proven, measured and told.

`bench.load(path, ...)` returns every timed round of stored runs as a tidy pandas DataFrame. Nothing heavy is imported
until it is asked for, so that a worker process starts with its backend's library alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.frame import load

__all__ = ["load"]


def __getattr__(name: str) -> Any:
    if name != "load":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from bench.frame import load

    return load
