"""The journal's first line: all that is needed to read the later ones."""

from __future__ import annotations

from collections.abc import Sequence

from bench.plan.cases import Plan
from bench.plan.sides import Backend
from bench.record.journal import SCHEMA
from bench.schema.case import Case
from bench.schema.checking import fault
from bench.schema.records import CaseRecord, Header, MachineFacts, Named


def header(plan: Plan, machine: MachineFacts, machine_name: str, run: str, doctor: Sequence[str] = ()) -> Header:
    """The header of a run of this plan; `doctor`: what is known to disturb measurements here.

    Raises `TypeError` for a header that could not be read again: a bug, better seen now.
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
        "problem": plan.definition.as_record(),
        "machine": machine,
        "cases": [_case(plan, case) for case in measured],
        "holes": [{**_named(plan, hole.case), "reason": hole.reason} for hole in plan.holes],
        "sources": {used[key].hash: used[key].source for key in sorted(used)},
        "doctor": list(doctor),
    }
    if what := fault(first, Header):
        raise TypeError(f"this run's header could not be read again: {what}")
    return first


def _case(plan: Plan, case: Case) -> CaseRecord:
    baseline, backend = plan.baseline_of(case), plan.backend(case)
    flops, moved = _work(plan, case, backend)
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
        "constants": plan.definition.constants(case.shape),
        "versions": backend.versions,
    }


def _named(plan: Plan, case: Case) -> Named:
    return {
        "backend": case.backend,
        "device": case.device,
        "dtype": case.dtype,
        "threads": case.threads,
        "shape": case.shape,
        "twin": case.twin,
        "side": case.side,
        "key": case.key,
        "name": case.name,
        "kind": plan.kind(case),
    }


def _work(plan: Plan, case: Case, backend: Backend) -> tuple[int, int]:
    """Operations and bytes of a step: what the problem needs, or what a control says it does."""
    if not backend.proven:
        return backend.work.get(case.device, {}).get(case.dtype, (0, 0))
    problem = plan.definition
    return problem.operations(case.shape), problem.bytes_moved(case.shape, case.dtype)
