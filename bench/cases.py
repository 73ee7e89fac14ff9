"""What a run measures: the settings crossed with the backends that exist, and the controls that go with them.

It must never start a worker: a plan is a value, made before anything runs.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from backends.api import Problem, steady_learning_rate
from bench import environment
from bench.errors import UsageError, unknown
from bench.settings import Settings

TWIN = "twin"
YARDSTICK = "yardstick"
CONTROLS = ("control", YARDSTICK)
"""Kinds of backends that are fixed work: measured with every plan, never proven."""
DEFAULT_SHAPE = (64, 1000, 100, 10)
"""Of the controls, whatever is swept: their work is fixed."""


@dataclass(frozen=True)
class Case:
    """One cell of the sweep; its key names it in journals, reports and test ids."""

    backend: str
    device: str
    dtype: str
    threads: int
    shape: tuple[int, int, int, int]
    twin: bool = False

    @property
    def name(self) -> str:
        return TWIN if self.twin else self.backend

    @property
    def key(self) -> str:
        return f"{self.name}-{self.device}-{self.dtype}-{self.threads}-{'x'.join(map(str, self.shape))}"

    @property
    def learning_rate(self) -> float:
        """1e-6 wherever training with it stays finite, as at the default shape."""
        steady = steady_learning_rate(*self.shape)
        return 1e-6 if steady * 3 >= 1e-6 else steady

    def problem(self, seed: int) -> Problem:
        """The problem that is timed."""
        return Problem.random(*self.shape, seed=seed, learning_rate=self.learning_rate)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "key": self.key, "shape": list(self.shape)}


@dataclass(frozen=True)
class Backend:
    """A backend's file as `bench.discovery.describe` tells of it."""

    name: str
    path: str
    source: str
    hash: str
    kind: str
    missing: str | None
    libraries: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    why_not: dict[str, dict[str, str | None]] = field(default_factory=dict)

    @classmethod
    def from_json(cls, facts: dict[str, Any]) -> Backend:
        plain: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in facts.items()}
        return cls(**plain)

    @property
    def proven(self) -> bool:
        """Whether it has to pass the gate; a control does no training step that could be wrong."""
        return self.kind not in CONTROLS

    def reason(self, device: str, dtype: str) -> str | None:
        """None, or why this backend cannot run there."""
        if self.missing:
            return f"needs the library {self.missing}, which is not installed"
        if dtype not in self.dtypes:
            return f"has code for {', '.join(self.dtypes)} only, not for {dtype}"
        return self.why_not[device][dtype]


@dataclass(frozen=True)
class Hole:
    """A case that was selected and cannot run."""

    case: Case
    reason: str
    asked_for: bool
    """Its backend was named and can run nowhere that was asked for."""


@dataclass(frozen=True)
class Plan:
    settings: Settings
    backends: dict[str, Backend]
    cases: tuple[Case, ...]
    holes: tuple[Hole, ...]

    @property
    def controls(self) -> tuple[Case, ...]:
        """What is measured with the cases: baselines, their twins, and for each thread count null and the yardsticks."""
        baselines = dict.fromkeys(base for case in self.cases if (base := self.baseline_of(case)))
        twins = [replace(base, twin=True) for base in baselines]
        places = dict.fromkeys((device, case.threads) for case in self.cases for device in ("cpu", case.device))
        fixed = [
            Case(backend.name, device, backend.dtypes[0], threads, DEFAULT_SHAPE)
            for backend in self.backends.values()
            if not backend.proven and not backend.missing
            for device, threads in places
            if backend.reason(device, backend.dtypes[0]) is None
        ]
        return tuple(dict.fromkeys(c for c in (*baselines, *twins, *fixed) if c not in self.cases))

    def baseline_of(self, case: Case) -> Case | None:
        """The case that this one's ratio refers to: the baseline on the same device, else on the CPU, else none."""
        backend = self.backends[self.settings.baseline]
        for device in (case.device, "cpu"):
            if device in backend.why_not and backend.reason(device, case.dtype) is None:
                return replace(case, backend=backend.name, device=device, twin=False)
        return None

    def kind(self, case: Case) -> str:
        return TWIN if case.twin else self.backends[case.backend].kind

    def group(self, case: Case) -> str:
        """Cases of one group share a worker process."""
        libraries = "+".join(self.backends[case.backend].libraries)
        return f"{libraries} on {case.device.partition(':')[0]}, threads {case.threads}"

    def narrowed(self, keys: Collection[str]) -> Plan:
        """The same plan for some of its cases only."""
        return replace(self, cases=tuple(case for case in self.cases if case.key in keys))


def make_plan(settings: Settings, backends: dict[str, Backend], present: tuple[str, ...]) -> Plan:
    """Crosses the settings with the backends. Raises `UsageError` for what no backend or machine can satisfy."""
    devices = _devices(settings, present)
    selected = _backends(settings, backends)
    dtypes = dict.fromkeys(dtype for backend in backends.values() for dtype in backend.dtypes)
    for dtype in settings.dtypes:
        if dtype not in dtypes:
            raise unknown("dtype", dtype, list(dtypes), "BENCH_DTYPES")
    if settings.baseline not in backends:
        raise unknown("backend", settings.baseline, list(backends), "BENCH_BASELINE")
    if backends[settings.baseline].missing:
        raise UsageError(
            f"BENCH_BASELINE={settings.baseline}: it {backends[settings.baseline].reason('cpu', 'float32')}; "
            "install it or choose another baseline."
        )
    _check_threads(settings)
    _check_memory(settings, selected)
    cases, holes = [], []
    for backend, device, dtype, threads, shape in itertools.product(
        selected, devices, settings.dtypes, settings.threads, settings.shapes
    ):
        case = Case(backend.name, device, dtype, threads, shape)
        reason = backend.reason(device, dtype)
        if reason is None:
            cases.append(case)
        else:
            nowhere = all(backend.reason(d, t) for d in devices for t in settings.dtypes)
            holes.append(Hole(case, reason, asked_for=nowhere and backend.name in settings.backends))
    return Plan(settings, backends, tuple(cases), tuple(holes))


def _devices(settings: Settings, present: tuple[str, ...]) -> tuple[str, ...]:
    if settings.devices == ("all",):
        return present
    first = {"cuda", "cuda:0"}  # one device, one name: the one that is present
    names = [next((d for d in present if d in first and device in first), device) for device in settings.devices]
    devices = tuple(dict.fromkeys(names))
    for device in devices:
        if device == "all":
            raise UsageError("BENCH_DEVICES: `all` stands alone; name devices or write BENCH_DEVICES=all.")
        kind, _, index = device.partition(":")
        if kind not in ("cpu", "cuda") or (":" in device and (kind == "cpu" or not index.isdecimal())):
            raise unknown("device", device, [*dict.fromkeys([*present, "cpu", "cuda", "cuda:1", "all"])], "BENCH_DEVICES")
        if device not in present:
            raise UsageError(f"BENCH_DEVICES={device}: no such device here; present: {', '.join(present)}.")
    return devices


def _backends(settings: Settings, backends: dict[str, Backend]) -> list[Backend]:
    names: dict[str, None] = {}
    for name in settings.backends:
        if name in backends:
            names[name] = None
        elif name == "all":
            names |= {b.name: None for b in backends.values() if b.proven}
        elif any(b.kind == name for b in backends.values()):
            names |= {b.name: None for b in backends.values() if b.kind == name}
        else:
            raise unknown("backend", name, [*backends, "seed", "all"], "BENCH_BACKENDS")
    return [backends[name] for name in names]


def _check_threads(settings: Settings) -> None:
    cores = len(environment.cores())
    for threads in settings.threads:
        if threads > cores:
            raise UsageError(f"BENCH_THREADS={threads}: this machine offers {cores} cores; ask for at most {cores}.")


def _check_memory(settings: Settings, selected: list[Backend]) -> None:
    available = environment.available_memory()
    steps = len(selected) + 3  # each has its own data; the baseline, its twin and the reference come along
    for N, D_in, H, D_out in settings.shapes:
        arrays = N * D_in + N * D_out + 2 * (D_in * H + H * D_out) + 4 * N * H
        needed = 8 * arrays * 3 * steps
        if needed > available:
            raise UsageError(
                f"BENCH_SHAPES={N}x{D_in}x{H}x{D_out}: needs about {needed / 1e9:.1f} GB of memory, "
                f"{available / 1e9:.1f} GB is available; choose a smaller shape."
            )
