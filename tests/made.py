"""Runs that were never measured: journals whose times a test chooses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from bench.machine import environment
from bench.paths import BACKENDS
from bench.plan.cases import Plan
from bench.problem import Definition
from bench.record import journal
from bench.record.journal import Story, header
from bench.schema.case import CONTROL, FIXED_WORK, GUARD, PEAK, TWIN, at

Record = dict[str, Any]
NAMES = ("base", "slow", "twin")
SHAPE = "64x1000x100x10"
KINDS = {"twin": TWIN, "null": CONTROL, "arithmetic": GUARD, "peak_arithmetic": PEAK, "peak_traffic": PEAK}
"""By name; every other case is a `seed`."""
MACHINE: Record = {
    "time": "2026-01-02T03:04:05+00:00", "cpu": "a CPU", "cpus": 2, "cores": [[0], [1]], "cpu_quota": None,
    "memory_bytes": 8_000_000_000, "gpus": [], "system": "Linux", "libc": "glibc", "python": "3.11.7",
    "python_build": "a build", "packages": {"numpy": "2.0"}, "commit": None, "kernel_choices": {},
}  # fmt: skip
PROBLEM = Definition.load(BACKENDS)


def key_of(name: str) -> str:
    return f"{name}-cpu-float32-1-{SHAPE}"


def a_case(name: str, /, **changes: Any) -> Record:
    """A case of a header; `base` is the baseline."""
    place = {"device": "cpu", "dtype": "float32", "threads": 1, "shape": SHAPE, "side": ""}
    place |= {field: changes[field] for field in place if field in changes}
    *parts, side = map(str, place.values())
    key, base = (at("-".join((case, *parts)), side) for case in (name, "base"))
    kind = KINDS.get(name, "seed")
    proven, twin = kind not in FIXED_WORK, kind == TWIN
    return {
        "backend": "base" if twin else name, "name": name, **place, "twin": twin, "key": key, "kind": kind,
        "baseline": base if proven else None, "proven": proven, "selected": proven and not twin,
        "flops": 1000, "bytes": 0, "steps_per_call": 1, "constants": {"learning_rate": 1e-6},
        "source_hash": "x", "versions": {"numpy": "2.0"},
        **changes,
    }  # fmt: skip


def a_hole(reason: str, backend: str = "absent") -> Record:
    """A case that could not run."""
    fields = ("backend", "name", "device", "dtype", "threads", "shape", "twin", "side", "key")
    case = a_case(backend)
    return {name: case[name] for name in fields} | {"kind": "rung", "reason": reason}


def a_header(**changes: Any) -> Record:
    """A journal's first line; `settings` and `machine` are added to the usual ones."""
    settings = {"baseline": "base", "processes": 20, "blocks": 3, "steps": 10, "margin": 0.01}
    first = {
        "record": "header", "schema": journal.SCHEMA, "run": "r", "machine_name": "m",
        "problem": {**PROBLEM.as_record(), "hash": "p"},
        "cases": [a_case(name) for name in NAMES], "holes": [], "sources": {"x": "code"}, "doctor": [],
        **changes,
    }  # fmt: skip
    first["settings"] = settings | changes.get("settings", {})
    first["machine"] = MACHINE | changes.get("machine", {})
    return first


def story(
    seconds: Callable[[str, int, int], float],
    passes: int = 20,
    blocks: int = 3,
    steps: int = 10,
    end: bool = True,
    extra: Iterable[Record] = (),
    singly: bool = False,
    work: Callable[[Record], float] = lambda case: 1.0,
    **changes: Any,
) -> Story:
    """A run in which a step of a case took `seconds(name, pass, block)` times `work(case)`.

    `singly`: each call was timed; the first quarter of them warms up and takes twice as long.
    `extra` records name their case alike and stand before the end; `changes` are the header's, in
    which 20 passes are planned.
    """
    settings = {"blocks": blocks, "steps": steps} | changes.pop("settings", {})
    first = a_header(settings=settings, **changes)
    records: list[Record] = []
    for number in range(passes):
        when = {"pass": number, "at_seconds": float(number)}
        records.append({"record": "pass", **when})
        records += [_open(case) | when for case in first["cases"]]
        for block in range(blocks):
            for case in first["cases"]:
                took = seconds(case["name"], number, block) * work(case)
                records.append(_visit(case, took, steps, singly) | when | {"block": block})
            records.append({"record": "block", "block": block, "nonce": "n", "gpus": [], **when})
    keys = {case["name"]: case["key"] for case in first["cases"]}
    records += [{"at_seconds": 0.0, **record, "case": keys[record["case"]]} for record in extra]
    if end:
        records.append({"record": "end", "pass": max(passes - 1, 0), "at_seconds": float(passes)})
    return Story(Path("journal.jsonl"), first, tuple(records))  # type: ignore[arg-type]


def _open(case: Record) -> Record:
    errors = _errors(1e-6) if case["proven"] else None
    return {"record": "open", "case": case["key"], "first_step_seconds": 0.5, "errors": errors, "threads": {}, "marks": False}


def _errors(size: float) -> Record:
    arrays = {"loss": size, "w1": 2 * size, "w2": size}
    return {"share": 1e4 * size, "arrays": arrays, "noisy_runs": 0}


def _visit(case: Record, took: float, steps: int, singly: bool) -> Record:
    warm = steps // 4
    calls = [2 * took] * warm + [took] * (steps - warm) if singly else []
    whole = sum(calls) if singly else steps * took
    return {
        "record": "visit", "case": case["key"], "steps": steps, "minor_faults": 5,
        "throughput_seconds": whole, "throughput_call_seconds": calls or None,
        "dispatch_seconds": whole if singly else None, "device_seconds": None,
        "latency_seconds": 2 * whole, "latency_call_seconds": [2 * call for call in calls],
        "errors": _errors(1e-7) if case["proven"] else None,
    }  # fmt: skip


def measured(plan: Plan, seconds: Callable[[str, int, int], float], **options: Any) -> Iterator[Any]:
    """What `bench.measure.conductor.measure` would yield for this plan; options are `story`'s."""
    settings = plan.settings
    cases = header(plan, environment.facts(), "m", "r")["cases"]
    shape = settings.processes, settings.blocks, settings.steps
    return iter(story(seconds, *shape, cases=cases, singly=True, **options).records)


def lines(run: Story) -> list[Record]:
    """The records of a journal, its header first."""
    return [dict(run.header), *map(dict, run.records)]


def write(run: Story | Iterable[Record], folder: Path) -> Path:
    """Writes a journal into a new or empty folder; returns the journal's path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / journal.NAME
    records = lines(run) if isinstance(run, Story) else run
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path
