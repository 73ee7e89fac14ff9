"""What a run measures: the settings crossed with the backends that exist, and their controls.

A plan is a value, made before anything runs.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from backends.api import weights_dtype
from bench.errors import UsageError, unknown
from bench.machine import resources
from bench.machine.devices import chosen
from bench.plan.sides import Backend, Side
from bench.problem import Definition
from bench.schema.case import PEAK, TWIN, Case, at, passes_of
from bench.settings import Settings


@dataclass(frozen=True)
class Hole:
    """A case that was selected and cannot run."""

    case: Case
    reason: str
    asked_for: bool  # its backend was named and can run nowhere that was asked for


@dataclass(frozen=True)
class Plan:
    settings: Settings
    sides: tuple[Side, ...]
    cases: tuple[Case, ...]
    holes: tuple[Hole, ...]
    definition: Definition

    @property
    def controls(self) -> tuple[Case, ...]:
        """What is measured with the cases: what their ratios refer to, and what that refers to; on the first side alone the
        twins of baselines and all fixed work."""
        bases = [base for case in self.cases if (base := self.baseline_of(case))]
        bases += [base for case in bases if (base := self.baseline_of(case))]
        twins = [replace(base, twin=True) for base in bases if self.baseline_of(base) == base]
        return tuple(dict.fromkeys(case for case in (*bases, *twins, *self._fixed_work()) if case not in self.cases))

    def _fixed_work(self) -> Iterator[Case]:
        """Of the first side: peaks in every dtype that is measured, others in their first dtype."""
        first = self.sides[0]
        fixed = [backend for backend in first.backends.values() if not backend.proven and not backend.unusable]
        places = [(device, case.dtype, case.threads) for case in self.cases for device in ("cpu", case.device)]
        for backend, (device, dtype, threads) in itertools.product(fixed, dict.fromkeys(places)):
            own = dtype if backend.kind == PEAK else backend.dtypes[0]
            if backend.reason(device, own, threads) is None:
                yield Case(backend.name, device, own, threads, self.definition.default, side=first.label)

    def baseline_of(self, case: Case) -> Case | None:
        """The case that this one's ratio refers to.

        The baseline on the same device, else on the CPU, else none; in the row's dtype, else in
        that of its weights. On a later side it is the same backend on the first one.
        """
        first = self.sides[0]
        later = case.side != first.label
        name = case.backend if later else self.settings.baseline
        devices, dtypes = [case.device], [case.dtype]
        if not later:
            devices, dtypes = [*devices, "cpu"], [*dtypes, weights_dtype(case.dtype)]
        for device, dtype in itertools.product(devices, dtypes):
            if first.reason(name, device, dtype, case.threads) is None:
                return replace(case, backend=name, device=device, dtype=dtype, side=first.label, twin=False)
        return None

    def side(self, case: Case) -> Side:
        return next(side for side in self.sides if side.label == case.side)

    def backend(self, case: Case) -> Backend:
        """A case's backend as its side has it; where it has none, as another side does."""
        sides = (self.side(case), *self.sides)
        return next(side.backends[case.backend] for side in sides if case.backend in side.backends)

    @property
    def visits(self) -> int:
        """Of all cases, in all passes."""
        passes = (passes_of(self.kind(case), self.settings.processes) for case in (*self.cases, *self.controls))
        return self.settings.blocks * sum(passes)

    def kind(self, case: Case) -> str:
        return TWIN if case.twin else self.backend(case).kind

    def narrowed(self, keys: Collection[str]) -> Plan:
        """The same plan for some of its cases only."""
        return replace(self, cases=tuple(case for case in self.cases if case.key in keys))


def make_plan(settings: Settings, sides: tuple[Side, ...], present: tuple[str, ...]) -> Plan:
    """Crosses the settings with the sides' backends. Raises `UsageError` for what cannot be had."""
    devices, first = chosen(settings.devices, present), sides[0]
    backends: dict[str, Backend] = {}
    for name, backend in (item for side in sides for item in side.backends.items()):
        if name not in backends or not backend.unusable:
            backends[name] = backend
    selected = _select(settings, backends)
    _check(settings, first, backends)
    definition = Definition.load(settings.problem_folder)
    shapes = _shapes(settings, definition, len(selected) * len(sides))
    cases, holes = [], []
    places = list(itertools.product(devices, settings.dtypes, settings.threads))
    for name, place, shape, side in itertools.product(selected, places, shapes, sides):
        if side is not first and not backends[name].proven:
            continue  # it is the same on every side
        case = Case(name, *place, shape, side=side.label)
        reason = side.reason(name, *place)
        if reason is None:
            cases.append(case)
            continue
        nowhere = all(other.reason(name, *where) for other, where in itertools.product(sides, places))
        holes.append(Hole(case, reason, asked_for=nowhere and name in settings.backends))
    return Plan(settings, sides, tuple(cases), tuple(holes), definition)


def _select(settings: Settings, backends: dict[str, Backend]) -> list[str]:
    """The backends that `BENCH_BACKENDS` names, by name, kind, library or `all`; and stray files,
    so that each has a row that says what it is."""
    names: list[str] = []
    for name in settings.backends:
        of_kind = [each.name for each in backends.values() if each.kind == name]
        others = [each.name for each in backends.values() if each.proven and name in ("all", *each.libraries)]
        found = [name] if name in backends else of_kind or others
        if not found:
            raise unknown("backend", name, [*backends, "seed", "all"], "BENCH_BACKENDS")
        names += found
    return [*dict.fromkeys([*names, *(each.name for each in backends.values() if not each.hash)])]


def _check(settings: Settings, first: Side, backends: dict[str, Backend]) -> None:
    """Raises `UsageError` for a dtype, a number of threads or a baseline that cannot be had."""
    known = list(dict.fromkeys(dtype for backend in backends.values() for dtype in backend.dtypes))
    for dtype in settings.dtypes:
        if dtype not in known:
            raise unknown("dtype", dtype, known, "BENCH_DTYPES")
    cores, threads = len(resources.cores()), max(settings.threads)
    if threads > cores:
        raise UsageError(f"BENCH_THREADS={threads}: this machine offers {cores} cores; ask for at most {cores}.")
    name = settings.baseline
    if name not in backends and name != Settings().baseline:
        raise unknown("backend", name, [*backends], "BENCH_BASELINE")
    if name not in backends:
        own = ", ".join(backend.name for backend in backends.values() if backend.proven)
        raise UsageError(
            f"{settings.problem_folder}: has no {name}.py, which ratios refer to by default; "
            f"write it, or set BENCH_BASELINE to {f'one of {own}' if own else 'a backend, once there is one'}."
        )
    if name not in first.backends or first.backends[name].unusable:
        raise UsageError(
            f"BENCH_BASELINE={at(name, first.label)}: it {first.reason(name, 'cpu', 'float32')}; "
            "install it or choose another baseline."
        )


def _shapes(settings: Settings, definition: Definition, selected: int) -> list[str]:
    """The shapes that are asked for, if so many steps fit into memory. Raises `UsageError`."""
    try:
        asked = settings.shapes or (definition.default,)
        shapes = list(dict.fromkeys(map(definition.check_shape, asked)))
    except ValueError as error:
        raise UsageError(f"BENCH_SHAPES={','.join(settings.shapes)}: expected shapes {error}, separated by commas.") from None
    available = resources.available_memory()
    steps = selected + 3  # each has its own data; so do the baseline, its twin and the reference
    for shape in shapes:
        needed = 4 * steps * definition.bytes_moved(shape, "float64")
        if needed > available:
            raise UsageError(
                f"BENCH_SHAPES={shape}: needs about {needed / 1e9:.1f} GB of memory, "
                f"{available / 1e9:.1f} GB is available; choose a smaller shape."
            )
    return shapes
