"""Every setting of a run, in one frozen object; `Settings.from_env` is the only reader of `BENCH_*`.

Whether a device or a backend exists is for `bench.plan.cases` to say.
"""

import math
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Self, cast

from backends.api import DTYPES
from bench.errors import UsageError, unknown
from bench.paths import BACKENDS, ROOT
from bench.schema.records import SettingsRecord

MAX_STEPS = 100
"""float32 and float64 part ways after about this many steps, so nothing longer can be proven."""
Parse = Callable[[str], Any]
"""From a text to a value; raises `ValueError` with what was expected."""


def parser(expected: str, convert: Parse, holds: Callable[[Any], object]) -> Parse:
    """Expects a text that can be converted to a value of which `holds` is true."""

    def parse(text: str) -> Any:
        with suppress(ValueError):
            if holds(value := convert(text)):
                return value
        raise ValueError(expected)

    return parse


def whole_number(low: int, high: float = math.inf) -> Parse:
    expected = f"a whole number of at least {low}" if high == math.inf else f"a whole number from {low} to {high}"
    return parser(expected, int, lambda value: low <= value <= high)


def above_0(unit: str) -> Parse:
    return parser(f"a number of {unit} above 0", float, lambda value: 0 < value < math.inf)


def _each(convert: Parse) -> Parse:
    """Converts what stands between commas; each value once."""
    return lambda text: tuple(dict.fromkeys(convert(part.strip()) for part in text.split(",")))


names = parser("names separated by commas", _each(str), all)
_counts = parser("whole numbers of at least 1, separated by commas", _each(int), lambda counts: min(counts) >= 1)
share = parser(
    "a share above 0 and below 1, such as 1% or 0.01",
    lambda text: float(text.removesuffix("%")) / (100 if text.endswith("%") else 1),
    lambda value: 0 < value < 1,
)
_node = parser("up to 16 small letters and digits, and no name of a host", str, re.compile("[a-z0-9]{0,16}").fullmatch)


_path = parser(
    "a path; no home folder is known for its `~`, so write it out",
    lambda text: Path(os.path.expanduser(text)),
    lambda path: not str(path).startswith("~"),
)
_paths = parser(
    f"existing folders of backends separated by {os.pathsep!r}",
    lambda text: tuple(_path(part) for part in text.split(os.pathsep) if part),
    lambda paths: all(path.is_dir() for path in paths),
)


def _pythons(text: str) -> tuple[tuple[str, str], ...]:
    pairs = [tuple(part.strip() for part in pair.partition("=")[::2]) for pair in re.split(r",(?=[^,/]*=)", text) if text]
    labels = {label for label, path in pairs if path and re.fullmatch(r"[A-Za-z0-9._-]+", label)}
    if pairs and not len(pairs) == len(labels) > 1:
        raise ValueError(
            "two or more label=path pairs separated by commas, each with a label of its own made of letters, digits, "
            "`.`, `_` and `-`, such as old=venv-old/bin/python,new=venv/bin/python"
        )
    return tuple((label, os.path.expanduser(path)) for label, path in pairs)


def _setting(default: str, parse: Parse, help: str) -> Any:
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
        "",
        lambda text: names(text) if text else (),
        "sizes of the problem, such as `64x1000x100x10,256x1000x100x10`; its own by default",
    )
    threads: tuple[int, ...] = _setting("1", _counts, "threads a worker may compute with, such as `1,2`")
    baseline: str = _setting("numpy_manual", str, "the backend that ratios refer to; it is always measured")
    processes: int = _setting("10", whole_number(2), "passes; each measures in fresh processes")
    blocks: int = _setting("8", whole_number(1), "blocks a pass; each visits every case once, in random order")
    steps: int = _setting("20", whole_number(1, MAX_STEPS), f"training steps a round, at most {MAX_STEPS}")
    margin: float = _setting("1%", share, "steps that differ by less count as equal, such as `2%`")
    seed: int = _setting("0", whole_number(0), "of data, weights and visiting order")
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
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Reads `BENCH_*`; an empty variable counts as unset. Raises `UsageError` for unknown names and bad values."""
        variables, values = cls.variables(), {}
        for name, text in (os.environ if environ is None else environ).items():
            if name.startswith("BENCH_") and name not in variables:
                raise unknown("setting", name, list(variables), "environment")
            if name in variables and text.strip():
                try:
                    values[variables[name].name] = variables[name].metadata["parse"](text.strip())
                except ValueError as error:
                    raise UsageError(f"{name}={text}: expected {error}.") from None
        return cls(**values)

    def as_json(self) -> SettingsRecord:
        """The settings as plain JSON values, for a journal's header."""
        return cast(SettingsRecord, {f.name: _plain(getattr(self, f.name)) for f in fields(self)})

    @classmethod
    def assignments(cls, plain: Mapping[str, Any]) -> dict[str, str]:
        """The variables that repeat settings as a journal's header keeps them, but where results go, and of which node."""
        usual: Mapping[str, Any] = cls().as_json()
        commas = dict.fromkeys(plain, ",") | {"path": os.pathsep}
        return {
            f"BENCH_{name.upper()}": commas[name].join(map(str, value)) if isinstance(value, list) else str(value)
            for name, value in plain.items()
            if name not in ("results", "node") and name in usual and value != usual[name]
        }


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return ["=".join(item) if isinstance(item, tuple) else _plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
