"""Every setting of a run, in one frozen object; `Settings.from_env` is the only reader of `BENCH_*`.

Whether a device or a backend exists is for `bench.plan.cases` to say.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from backends.api import DTYPES
from bench.errors import UsageError, unknown
from bench.paths import BACKENDS, ROOT
from bench.schema.records import SettingsRecord

MAX_STEPS = 100
"""float32 and float64 part ways after about this many steps, so nothing longer can be proven."""


def names(text: str) -> tuple[str, ...]:
    """Names separated by commas, each once. Raises `ValueError`."""
    found = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    if not all(found):
        raise ValueError("names separated by commas")
    return found


def _names_or_none(text: str) -> tuple[str, ...]:
    return names(text) if text else ()


def whole_number(low: int, high: float = math.inf) -> Callable[[str], int]:
    expected = f"a whole number of at least {low}" if high == math.inf else f"a whole number from {low} to {high}"

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise ValueError(expected) from None
        if not low <= value <= high:
            raise ValueError(expected)
        return value

    return parse


def _counts(text: str) -> tuple[int, ...]:
    try:
        return tuple(dict.fromkeys(whole_number(1)(part) for part in text.split(",")))
    except ValueError:
        raise ValueError("whole numbers of at least 1, separated by commas") from None


def above_0(unit: str) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0 < value < math.inf:
            raise ValueError(f"a number of {unit} above 0")
        return value

    return parse


def share(text: str) -> float:
    """`2%` or `0.02`. Raises `ValueError`."""
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = math.nan
    if not 0 < value < 1:
        raise ValueError("a share above 0 and below 1, such as 1% or 0.01")
    return value


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(" or ".join(words))
        return text

    return parse


def _path(text: str) -> Path:
    """Raises `ValueError` if `~` stands for an unknown home folder."""
    path = os.path.expanduser(text)
    if path.startswith("~"):
        raise ValueError(f"a path; no home folder is known for {path!r}, so write it out")
    return Path(path)


def _paths(text: str) -> tuple[Path, ...]:
    paths = tuple(_path(part) for part in text.split(os.pathsep) if part)
    for path in paths:
        if not path.is_dir():
            raise ValueError(f"folders of backends separated by {os.pathsep!r}; {str(path)!r} is not a folder")
    return paths


def _pythons(text: str) -> tuple[tuple[str, str], ...]:
    pairs = [tuple(part.strip() for part in pair.partition("=")[::2]) for pair in re.split(r",(?=[^,/]*=)", text) if text]
    labels = {label for label, path in pairs if path and re.fullmatch(r"[A-Za-z0-9._-]+", label)}
    if pairs and not len(pairs) == len(labels) > 1:
        raise ValueError(
            "two or more label=path pairs separated by commas, each with a label of its own made of letters, digits, "
            "`.`, `_` and `-`, such as old=venv-old/bin/python,new=venv/bin/python"
        )
    return tuple((label, os.path.expanduser(path)) for label, path in pairs)


def _node(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9]{0,16}", text):
        raise ValueError("up to 16 small letters and digits, and no name of a host")
    return text


def _setting(default: str, parse: Callable[[str], Any], help: str) -> Any:
    return field(default_factory=lambda: parse(default), metadata={"default": default, "parse": parse, "help": help})


@dataclass(frozen=True)
class Settings:
    """What to run and how; every field is the environment variable `BENCH_<FIELD>`."""

    devices: tuple[str, ...] = _setting("all", names, "`cpu`, `cuda`, `cuda:1`, ... or `all` devices present")
    backends: tuple[str, ...] = _setting(
        "seed", names, "names, a library such as `torch`, `seed` for the first five ways, or `all`"
    )
    dtypes: tuple[str, ...] = _setting("float32", names, ", ".join(f"`{dtype}`" for dtype in DTYPES))
    problem: Path = _setting("backends", _path, "the folder of a problem and its backends")  # noqa: RUF009
    shapes: tuple[str, ...] = _setting(
        "", _names_or_none, "sizes of the problem, such as `64x1000x100x10,256x1000x100x10`; its own by default"
    )
    threads: tuple[int, ...] = _setting("1", _counts, "threads a worker may compute with, such as `1,2`")
    baseline: str = _setting("numpy_manual", str, "the backend that ratios refer to; it is always measured")
    processes: int = _setting("10", whole_number(2), "passes; each measures in fresh processes")
    blocks: int = _setting("8", whole_number(1), "blocks a pass; each visits every case once, in random order")
    steps: int = _setting("20", whole_number(1, MAX_STEPS), f"training steps a round, at most {MAX_STEPS}")
    margin: float = _setting("1%", share, "steps that differ by less count as equal, such as `2%`")
    seed: int = _setting("0", whole_number(0), "of data, weights and visiting order")
    allocator: str = _setting(
        "pinned", _one_of("pinned", "system"), "`pinned` keeps freed memory in the process, `system` leaves glibc as is"
    )
    path: tuple[Path, ...] = _setting("", _paths, f"further folders of backends, separated by `{os.pathsep}`")
    pythons: tuple[tuple[str, str], ...] = _setting(
        "", _pythons, "interpreters to be compared in one run, such as `old=venv-old/bin/python,new=venv/bin/python`"
    )
    results: Path = _setting("results", _path, "where runs are written")  # noqa: RUF009  # a dataclass field
    node: str = _setting("", _node, "names this machine among others of its model, in the names of runs; `bench fleet` sets it")
    timeout: float = _setting("120", above_0("seconds"), "seconds after which a silent worker counts as hung")

    @property
    def problem_folder(self) -> Path:
        """A relative name is looked up here, then in the checkout."""
        if self.problem == Path("backends"):
            return BACKENDS
        return (self.problem if self.problem.is_dir() else ROOT / self.problem).resolve()

    @classmethod
    def variables(cls) -> dict[str, Field[Any]]:
        """Environment variable → field."""
        return {f"BENCH_{f.name.upper()}": f for f in fields(cls)}

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Reads `BENCH_*`; an empty variable counts as unset. Raises `UsageError` for unknown names and bad values."""
        environ = os.environ if environ is None else environ
        variables = cls.variables()
        values: dict[str, Any] = {}
        for name, text in environ.items():
            if not name.startswith("BENCH_"):
                continue
            if name not in variables:
                raise unknown("setting", name, list(variables), "environment")
            if not text.strip():
                continue
            setting = variables[name]
            try:
                values[setting.name] = setting.metadata["parse"](text.strip())
            except ValueError as error:
                raise UsageError(f"{name}={text}: expected {error}.") from None
        return cls(**values)

    def as_json(self) -> SettingsRecord:
        """The settings as plain JSON values, for a journal's header."""
        plain: dict[str, Any] = {}
        for name in (f.name for f in fields(self)):
            value = getattr(self, name)
            if name == "path":
                value = [str(path) for path in value]
            elif name == "pythons":
                value = [f"{label}={path}" for label, path in value]
            plain[name] = str(value) if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value
        return plain  # type: ignore[return-value]  # every field, those of SettingsRecord among them

    @classmethod
    def assignments(cls, plain: Mapping[str, Any]) -> dict[str, str]:
        """The variables that repeat settings as a journal's header keeps them, but where results go, and of which node."""
        usual: Mapping[str, Any] = cls().as_json()
        variables = {}
        for name, value in plain.items():
            if name not in ("results", "node") and name in usual and value != usual[name]:
                comma = os.pathsep if name == "path" else ","
                variables[f"BENCH_{name.upper()}"] = comma.join(map(str, value)) if isinstance(value, list) else str(value)
        return variables
