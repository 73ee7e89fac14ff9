"""The journal's first line: all that is needed to understand every later one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backends.api import step_bytes, step_flops, weights_dtype
from bench.judge.proof import TOLERANCE
from bench.plan.cases import Plan
from bench.plan.sides import Backend
from bench.record.journal import SCHEMA
from bench.schema.case import Case
from bench.schema.checking import fault
from bench.schema.records import CaseRecord, Header, MachineFacts, Named


def header(plan: Plan, machine: MachineFacts, machine_name: str, run: str, doctor: Sequence[str] = ()) -> Header:
    """Of a run of this plan on this machine; `doctor` is what is known to make the machine a bad instrument.

    Raises `TypeError` for a header that could not be read again.
    """
    measured = (*plan.cases, *plan.controls)
    used = {(case.backend, case.side): plan.backend(case) for case in measured}
    if sides := {side.label: side.facts for side in plan.sides if side.label}:
        machine = {**machine, "sides": sides}
    first: Header = {
        "record": "header",
        "schema": SCHEMA,
        "run": run,
        "machine_name": machine_name,
        "settings": plan.settings.as_json(),
        "machine": machine,
        "cases": [_case(plan, case, measured) for case in measured],
        "holes": [{**_named(plan, hole.case), "reason": hole.reason} for hole in plan.holes],
        "sources": {used[key].hash: used[key].source for key in sorted(used)},
        "doctor": list(doctor),
    }
    if what := fault(first, Header):  # a fault of ours: better told now than once everything is measured
        raise TypeError(f"nobody could read this run's header: {what}")
    return first


def _case(plan: Plan, case: Case, measured: Sequence[Case]) -> CaseRecord:
    baseline, backend = plan.baseline_of(case), plan.backend(case)
    baseline = baseline if baseline in measured else None  # a part of a batch that nobody asked for is beside nothing
    flops, moved = _work(case, backend)
    return {
        **_named(plan, case),
        "source_hash": backend.hash,
        "idea": backend.idea,
        "proven": backend.proven,
        "selected": case in plan.cases,
        "baseline": baseline.key if baseline and backend.proven else None,
        "flops": flops,
        "bytes": moved,
        "steps_per_call": backend.steps_per_call,
        "learning_rate": case.learning_rate,
        "tolerance": TOLERANCE[case.dtype] if backend.proven else None,
        "versions": backend.versions,
        "group": plan.group(case),
    }


def _named(plan: Plan, case: Case) -> Named:
    return {
        "backend": case.backend,
        "device": case.device,
        "dtype": case.dtype,
        "threads": case.threads,
        "shape": list(case.shape),
        "twin": case.twin,
        "side": case.side,
        "ranks": case.ranks,
        "key": case.key,
        "name": case.name,
        "kind": plan.kind(case),
    }


def _work(case: Case, backend: Backend) -> tuple[int, int]:
    """Floating-point operations and bytes of a step: what the problem asks for at least, or what a control says it does."""
    if not backend.proven:
        return backend.work.get(case.device, {}).get(case.dtype, (0, 0))
    itemsize = np.dtype(weights_dtype(case.dtype)).itemsize
    return step_flops(*case.shape), case.ranks * step_bytes(*case.part.shape, itemsize=itemsize)  # each has all weights
