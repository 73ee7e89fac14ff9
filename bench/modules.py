"""Files of Python that stand in no package, and the versions of what is installed."""

import importlib.util
import sys
from collections.abc import Iterable
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from types import ModuleType


def load(name: str, file: Path) -> ModuleType:
    """Runs a file as the module `name`; what the file raises passes, and the module is forgotten."""
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def versions(names: Iterable[str]) -> dict[str, str]:
    """Distribution → version, of those that are installed."""
    found = {}
    for name in names:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found
