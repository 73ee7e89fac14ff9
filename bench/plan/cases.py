"""What a run measures: the settings crossed with the backends that exist, and the controls that go with them.

A plan is a value, made before anything runs.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from backends.api import weights_dtype
from bench.errors import UsageError, unknown
from bench.machine import resources
from bench.machine.devices import chosen, kind_of
from bench.plan.sides import Backend, Side
from bench.schema.case import CEILING, COLLECTIVE, DEFAULT_SHAPE, PEAK, TWIN, Case, Shape, at, passes_of
from bench.settings import Settings


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
    sides: tuple[Side, ...]
    cases: tuple[Case, ...]
    holes: tuple[Hole, ...]

    @property
    def controls(self) -> tuple[Case, ...]:
        """What is measured with the cases: baselines and, on the first side alone, their twins and all fixed work; of steps in
        ranks also one rank's part alone."""
        first = self.sides[0].label
        opposite = self._baselines(case for case in self.cases if case.side != first)
        baselines = self._baselines(case for case in (*self.cases, *opposite) if case.side == first)
        twins = [replace(base, twin=True) for base in baselines]
        parts = [case.part for case in self.cases if case.ranks > 1 and self.backend(case).proven]
        others = (*opposite, *baselines, *twins, *parts, *self._fixed_work())
        return tuple(dict.fromkeys(case for case in others if case not in self.cases))

    def _baselines(self, cases: Iterable[Case]) -> list[Case]:
        """What the ratios of these cases refer to, each once."""
        return [base for base in dict.fromkeys(map(self.baseline_of, cases)) if base]

    def _fixed_work(self) -> Iterator[Case]:
        """Of the first side: ceilings, peaks and collectives in every dtype that is measured, everything else in its own first
        one; what ranks do only where a step is measured that they compute."""
        first = self.sides[0]
        places = dict.fromkeys((device, c.dtype, c.threads, 1) for c in self.cases for device in ("cpu", c.device))
        shared = dict.fromkeys((c.device, c.dtype, c.threads, c.ranks) for c in self.cases if self.backend(c).parallel)
        for backend in first.backends.values():
            if backend.proven or backend.missing:
                continue
            for device, dtype, threads, ranks in shared if backend.parallel else places:
                own = dtype if backend.kind in (CEILING, PEAK, COLLECTIVE) else backend.dtypes[0]
                if backend.reason(device, own) is None:
                    yield Case(backend.name, device, own, threads, DEFAULT_SHAPE, side=first.label, ranks=ranks)

    def baseline_of(self, case: Case) -> Case | None:
        """The case that this one's ratio refers to: the baseline on the same device, else on the CPU, else none; in the row's
        dtype where it has that, else in that of the row's weights; in one process. On a later side it is the same backend on
        the first one."""
        first = self.sides[0]
        later = case.side != first.label
        name = case.backend if later else self.settings.baseline
        devices, dtypes = dict.fromkeys((case.device, "cpu")), dict.fromkeys((case.dtype, weights_dtype(case.dtype)))
        places = [(case.device, case.dtype)] if later else itertools.product(devices, dtypes)
        for device, dtype in places:
            if first.reason(name, device, dtype) is None:
                ranks = case.ranks if later else 1
                return replace(case, backend=name, device=device, dtype=dtype, twin=False, side=first.label, ranks=ranks)
        return None

    def side(self, case: Case) -> Side:
        return next(side for side in self.sides if side.label == case.side)

    def backend(self, case: Case) -> Backend:
        """A case's backend as its side has it; where that has none, as another does."""
        sides = (self.side(case), *self.sides)
        return next(side.backends[case.backend] for side in sides if case.backend in side.backends)

    @property
    def visits(self) -> int:
        """Of all cases, in all passes."""
        passes = (passes_of(self.kind(case), self.settings.processes) for case in (*self.cases, *self.controls))
        return self.settings.blocks * sum(passes)

    def kind(self, case: Case) -> str:
        return TWIN if case.twin else self.backend(case).kind

    def group(self, case: Case) -> str:
        """Cases of one group share a worker process: those of one library, but a foreign backend's alone; so the twins, which
        tell what differs from process to process too, and steps for ranks, which keep threads of their own."""
        backend = self.backend(case)
        own = f"{backend.name}.py" if backend.foreign else "+".join(backend.libraries)  # a file may be called numpy.py
        who = f"{own}, twin" if case.twin else f"{own}, ranks {case.ranks}" if backend.parallel else own
        return at(f"{who} on {kind_of(case.device).name}, threads {case.threads}", case.side)

    def narrowed(self, keys: Collection[str]) -> Plan:
        """The same plan for some of its cases only."""
        return replace(self, cases=tuple(case for case in self.cases if case.key in keys))


def make_plan(settings: Settings, sides: tuple[Side, ...], present: tuple[str, ...]) -> Plan:
    """Crosses the settings with the sides' backends. Raises `UsageError` for what no backend or machine can satisfy."""
    devices = chosen(settings.devices, present)
    backends = {name: backend for side in sides for name, backend in side.backends.items()}
    selected = _backends(settings, backends)
    dtypes = dict.fromkeys(dtype for backend in backends.values() for dtype in backend.dtypes)
    for dtype in settings.dtypes:
        if dtype not in dtypes:
            raise unknown("dtype", dtype, list(dtypes), "BENCH_DTYPES")
    first = sides[0]
    if settings.baseline not in backends:
        raise unknown("backend", settings.baseline, list(backends), "BENCH_BASELINE")
    if settings.baseline not in first.backends or first.backends[settings.baseline].missing:
        raise UsageError(
            f"BENCH_BASELINE={at(settings.baseline, first.label)}: it {first.reason(settings.baseline, 'cpu', 'float32')}; "
            "install it or choose another baseline."
        )
    _check_threads(settings)
    _check_memory(settings, len(selected) * len(sides), any(backend.parallel for backend in selected))
    cases, holes = [], []
    for backend, device, dtype, threads in itertools.product(selected, devices, settings.dtypes, settings.threads):
        for (shape, ranks), side in itertools.product(_batches(settings, backend), sides):
            if side is not first and not backend.proven:
                continue  # fixed work tells of the machine, which is the same on every side
            case = Case(backend.name, device, dtype, threads, shape, side=side.label, ranks=ranks)
            reason = side.reason(backend.name, device, dtype) or _alone(settings, backend, case, present)
            if reason is None:
                cases.append(case)
            else:
                nowhere = all(s.reason(backend.name, d, t) for s in sides for d in devices for t in settings.dtypes)
                holes.append(Hole(case, reason, asked_for=nowhere and backend.name in settings.backends))
    return Plan(settings, sides, tuple(cases), tuple(holes))


def _batches(settings: Settings, backend: Backend) -> list[tuple[Shape, int]]:
    """The batches that are trained on, and how many ranks share each: the same one for strong scaling, for weak as many times
    it as there are ranks."""
    batches = [(shape, ranks) for shape in settings.shapes for ranks in settings.ranks]
    weak = [(shape._replace(N=shape.N * ranks), ranks) for shape, ranks in batches] if backend.parallel else []
    return [*dict.fromkeys([*batches, *weak])]


def _alone(settings: Settings, backend: Backend, case: Case, present: Sequence[str]) -> str | None:
    """Why as many ranks cannot compute this step here; None if they can."""
    if case.ranks == 1:
        return None
    if not backend.parallel:
        return f"computes in one process, not in {case.ranks} ranks"
    if backend.foreign and settings.sandbox == "foreign":
        return "is closed to the network, through which ranks reduce; BENCH_SANDBOX=off opens it"
    cores, kind = len(resources.cores()), kind_of(case.device)
    if case.ranks * case.threads > cores:
        return f"needs {case.ranks * case.threads} cores for {case.ranks} ranks, each with its own; this machine offers {cores}"
    index = int(case.device.partition(":")[2] or 0)
    here = sum(kind_of(device) is kind for device in present)
    if kind.queued and index + case.ranks > here:
        return f"needs {case.ranks} {kind.name} devices from {case.device} on, this machine has {here}"
    return None


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
    cores = len(resources.cores())
    for threads in settings.threads:
        if threads > cores:
            raise UsageError(f"BENCH_THREADS={threads}: this machine offers {cores} cores; ask for at most {cores}.")


def _check_memory(settings: Settings, selected: int, parallel: bool) -> None:
    available = resources.available_memory()
    steps = selected + 3  # each has its own data; the baseline, its twin and the reference come along
    for N, D_in, H, D_out in settings.shapes:
        batch = N * max(settings.ranks) if parallel else N  # that of weak scaling
        arrays = batch * (D_in + D_out + 4 * H) + 2 * (D_in * H + H * D_out)
        needed = 8 * arrays * 3 * steps
        if needed > available:
            raise UsageError(
                f"BENCH_SHAPES={N}x{D_in}x{H}x{D_out}: needs about {needed / 1e9:.1f} GB of memory, "
                f"{available / 1e9:.1f} GB is available; choose a smaller shape."
            )
