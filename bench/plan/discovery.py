"""Finds the backends by listing folders, and loads one file at a time: its name is the backend's."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from backends import api
from bench.errors import UsageError, unknown
from bench.machine.devices import versions
from bench.paths import BACKENDS, load_module
from bench.paths import CONTROLS as CONTROLS_FOLDER
from bench.schema.case import CONTROLS

RESERVED = ("all", "seed", "rung", *CONTROLS)
_PACKAGES = {BACKENDS: "backends", CONTROLS_FOLDER: "bench.plan.controls"}
INHERITED = "\n\n"  # stands between a backend's source and that of the step it inherits
_FOLDERS: set[str] = set()  # folders that were on `sys.path` while their files were imported, besides those of `_PACKAGES`
NOT_BACKENDS = ("api.py", "problem.py", "mistakes.py")


class MissingLibrary(Exception):
    """A backend needs a package that is not installed; `args[0]` is its name."""


def files(folders: Iterable[Path]) -> list[Path]:
    """The Python files in folders without a leading underscore, except `NOT_BACKENDS`; a folder may be a single file."""
    places = dict.fromkeys(folder.resolve() for folder in folders)
    paths = (path for place in places for path in ([place] if place.is_file() else sorted(place.glob("*.py"))))
    return [path for path in paths if not path.name.startswith("_") and path.name not in NOT_BACKENDS]


def check_name(path: Path, taken: Mapping[str, str | Path]) -> None:
    """Raises `UsageError` if no backend can have the name of this file, or if `taken`, name → file, has it."""
    if path.stem in taken:
        raise UsageError(f"{path}: a backend named {path.stem!r} is already in {taken[path.stem]}; rename one.")
    if path.stem in RESERVED:
        raise UsageError(f"{path}: {path.stem!r} has a meaning of its own in settings or tables; rename the file.")
    if not path.stem.isidentifier():
        raise UsageError(f"{path}: a backend's file name must be a Python identifier; rename it.")


def load(path: Path) -> type[api.TrainStep]:
    """The one concrete `TrainStep` of a backend's file.

    Raises `MissingLibrary` if a foreign package is absent, `UsageError` for a file that is no
    backend, and passes on any other error of the file's own code.
    """
    try:
        module = _import(path)
    except SyntaxError as error:
        place = f"{error.filename}:{error.lineno}"
        raise UsageError(f"{place}: syntax error: {error.msg}; fix it or move the file away.") from None
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        is_ours = library in ("", "backends", "bench") or library.startswith("_")
        if is_ours or importlib.util.find_spec(library) is not None:
            raise
        raise MissingLibrary(library) from None
    classes = [
        value
        for _, value in inspect.getmembers(module, inspect.isclass)
        if issubclass(value, api.TrainStep) and value.__module__ == module.__name__ and not inspect.isabstract(value)
    ]
    if len(classes) != 1:
        names = f": {', '.join(c.__name__ for c in classes)}" if classes else ""
        raise UsageError(f"{path}: has {len(classes)} concrete TrainStep classes{names}; a backend's file has exactly one.")
    return classes[0]


def runnable(name: str, device: str, dtype: str, folders: Iterable[Path], place: str) -> type[api.TrainStep]:
    """The backend of that name in these folders. Raises `UsageError` if there is none, or if it cannot run there."""
    paths = files(folders)
    path = next((path for path in paths if path.stem == name), None)
    if not path:
        raise unknown("backend", name, [path.stem for path in paths], place)
    try:
        step = load(path)
    except MissingLibrary as missing:
        raise UsageError(f"{name}: needs the library {missing}, which is not installed.") from None
    if reason := step.why_not(device, dtype):
        raise UsageError(f"{name} {reason}.")
    return step


def describe(path: Path, devices: Iterable[str]) -> dict[str, Any]:
    """What a plan and a journal need to know of a backend, as JSON values.

    Where a library is missing, the kind is read from the file without running it.
    """
    source = path.read_text(encoding="utf-8")
    facts: dict[str, Any] = {"source": source}
    try:
        step = load(path)
    except MissingLibrary as error:
        declared = re.search(r"^\s+kind = ['\"](\w+)['\"]", source, re.M)
        facts["kind"] = declared[1] if declared else api.TrainStep.kind
        why = f"needs the library {error}, which is not installed"
        return facts | {"hash": hash_of(source), "libraries": [str(error)], "unusable": why}
    owner = step_owner(step)
    # what `step` does is decided by its own module and its family's, not by the contract's
    modules = dict.fromkeys(cls.__module__ for cls in step.__mro__ if issubclass(cls, api.TrainStep))
    sources = [inspect.getsource(sys.modules[name]) for name in modules if name != api.__name__]
    named = {name: str(getattr(sys.modules.get(name), "__version__", "unknown")) for name in step.libraries}
    if owner is not step:  # readers of the file want to see the step that it inherits
        facts["source"] += INHERITED + inspect.getsource(sys.modules[owner.__module__])
    return facts | {
        **{name: getattr(step, name) for name in ("kind", "steps_per_call", "least_threads", "dtypes", "libraries")},
        "hash": hash_of(*sources),
        "versions": named | versions(step.libraries),
        "work": {device: {dtype: step.work(device, dtype) for dtype in step.dtypes} for device in devices},
        "why_not": {device: {dtype: step.why_not(device, dtype) for dtype in step.dtypes} for device in devices},
    }


def step_owner(step: type[api.TrainStep]) -> type[api.TrainStep]:
    """The class that defines a backend's `step`."""
    return next((cls for cls in step.__mro__ if "step" in vars(cls)), step)


def _import(path: Path) -> Any:
    if path.parent in _PACKAGES:
        return importlib.import_module(f"{_PACKAGES[path.parent]}.{path.stem}")
    # its folder's shared files become importable by their names, and those of another folder no longer are
    sys.path[:] = [*(place for place in sys.path if place not in _FOLDERS), str(path.parent)]
    _FOLDERS.add(str(path.parent))
    for shared in path.parent.glob("_*.py"):
        loaded = getattr(sys.modules.get(shared.stem), "__file__", None)
        if loaded and Path(loaded) != shared:
            del sys.modules[shared.stem]
    name = f"bench_path_{hashlib.sha256(bytes(path)).hexdigest()[:8]}_{path.stem}"
    return sys.modules.get(name) or load_module(name, path)


def hash_of(*sources: str) -> str:
    """The first 16 hex digits of the SHA-256 of source texts."""
    return hashlib.sha256("\0".join(sources).encode()).hexdigest()[:16]
