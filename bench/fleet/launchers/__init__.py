"""Starts `python -m bench node` on the nodes of a cluster, each engine in one module, found by listing this folder.

A module's name is its option, whose value says where; it declares `METAVAR`, `HELP` and `DEFAULT`, the value if none is given,
and `launcher(where, nodes)`, which loads what the engine needs. What passes through a launcher is bytes; it knows nothing of
runs.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class Job(Protocol):
    """`python -m bench node` on one node."""

    def read(self, seconds: float) -> bytes:
        """Some bytes of what it has written, b"" once that is all. Raises `TimeoutError` if nothing came in so many seconds."""
        ...

    def stop(self, gently: bool) -> None:
        """Ends it: gently is to let it end its run and hand over what it has, where the engine can ask for that."""
        ...

    def fate(self) -> str:
        """How it ended, as the engine tells, before it is stopped for good; empty if there is nothing to say."""
        ...


class Launcher(Protocol):
    """One engine."""

    nodes: Sequence[str]
    """By the names that the engine has for them."""
    outlives: bool
    """Whether a node may measure on when home is gone, the engine still holding it."""

    def start(self, node: str, request: str, seconds: float) -> Job:
        """Hands the node this line; it may take so many seconds once it has begun. Raises `OSError` or `UsageError`."""
        ...


@dataclass(frozen=True)
class Engine:
    """What is known of a launcher before its library is loaded."""

    name: str
    metavar: str
    help: str
    default: str | None
    """What its option says without a value; None if it needs one."""

    def launcher(self, where: str, nodes: Sequence[str]) -> Launcher:
        """For these nodes, or all it knows if none are named. Raises `UsageError`."""
        built: Launcher = _module(self.name).launcher(where, nodes)
        return built


def engines() -> dict[str, Engine]:
    """Every launcher by name."""
    names = [module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")]
    modules = {name: _module(name) for name in names}
    return {name: Engine(name, module.METAVAR, module.HELP, module.DEFAULT) for name, module in modules.items()}


def _module(name: str) -> Any:
    return importlib.import_module(f"{__name__}.{name}")
