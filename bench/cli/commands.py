"""What the commands of `python -m bench` do that measure, prove or look at the machine.

It must never hold logic of its own: every command is a few calls into the rooms that do the work.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from bench.errors import UsageError, unknown
from bench.settings import Settings

if TYPE_CHECKING:
    from bench.plan.sides import Side


def list_backends(_: argparse.Namespace) -> int:
    """Shows every backend, its devices and dtypes, and why one cannot run here."""
    from bench.measure.catalogue import catalogue
    from bench.schema.case import at
    from bench.show import tables

    sides = catalogue(Settings.from_env())[0]
    backends = {at(name, side.label): backend for side in sides for name, backend in side.backends.items()}
    devices = list(dict.fromkeys(device for backend in backends.values() for device in backend.why_not)) or ["cpu"]
    rows = []
    reasons: dict[tuple[str, str], list[str]] = {}
    for name, backend in backends.items():
        row = {"backend": name, "kind": backend.kind}
        for device in devices:
            fine = [dtype for dtype in backend.dtypes if backend.reason(device, dtype) is None]
            row[device] = ", ".join(fine) or "no"
            if not fine:
                reason = str(backend.reason(device, (*backend.dtypes, "float32")[0]))
                reasons.setdefault((device, reason), []).append(name)
        row["libraries"] = ", ".join(f"{library} {version}" for library, version in backend.versions.items())
        rows.append(row)
    console = tables.console()
    columns = [tables.plain(title, priority=title == "libraries") for title in rows[0]]
    tables.grid(tables.fit(columns, rows, console.width), rows, console)
    for (device, reason), names in reasons.items():
        console.print(f"no {device}: {', '.join(names)}: {reason}")
    return 0


def train(arguments: argparse.Namespace) -> int:
    """Prints `epoch - loss` line by line, as the scripts that the project grew from meant to."""
    from backends.api import Problem
    from bench.paths import BACKENDS
    from bench.plan import discovery

    settings = Settings.from_env()
    paths = discovery.find([BACKENDS, *settings.path])
    if arguments.backend not in paths:
        raise unknown("backend", arguments.backend, list(paths), "train")
    try:
        build = discovery.load(paths[arguments.backend])
    except discovery.MissingLibrary as missing:
        raise UsageError(f"{arguments.backend}: needs the library {missing}, which is not installed.") from None
    if reason := build.why_not(arguments.device, arguments.dtype):
        raise UsageError(f"{arguments.backend} {reason}.")
    step = build(Problem.random(seed=arguments.seed), arguments.device, arguments.dtype)
    # what every way of summing agrees on after ten epochs
    decimals = {"float32": 4, "float64": 12, "tf32": 2, "bfloat16": 1}[arguments.dtype]
    for epoch in range(arguments.epochs):
        print(epoch, "-", f"{float(step.step()):.{decimals}e}")
    return 0


def verify(arguments: argparse.Namespace) -> int:
    """Proves the selected backends against the reference, untimed, and shows their errors."""
    from bench.judge.proof import TOLERANCE
    from bench.measure.catalogue import catalogue
    from bench.measure.conductor import prove
    from bench.plan.cases import make_plan
    from bench.schema.case import at
    from bench.show import tables

    settings = Settings.from_env()
    if arguments.backends:
        settings = replace(settings, backends=tuple(arguments.backends))
    plan = make_plan(settings, *catalogue(settings))
    proofs = prove(plan)
    rows = []
    for case in plan.cases:
        proof = proofs[case.key]
        if proof["record"] == "open" and proof["errors"]:
            errors = {name: f"{proof['errors'][name]:.1e}" for name in ("loss", "w1", "w2")}
            shape, name = str(case.shape), at(case.name, case.side)
            about = {"backend": name, "device": case.device, "dtype": case.dtype, "shape": shape}
            rows.append(about | errors | {"allowed": f"{TOLERANCE[case.dtype]:.0e}"})
    console = tables.console()
    if rows:
        console.print("relative errors of the loss and of the updates, against the float64 reference")
        columns = [tables.plain(title, priority=title in ("device", "shape")) for title in rows[0]]
        tables.grid(tables.fit(columns, rows, console.width), rows, console)
    lines = [f"unavailable: {hole.case} {hole.reason}" for hole in plan.holes]
    lines += [f"{proof['status']}: {proof['reason']}" for proof in proofs.values() if proof["record"] == "failure"]
    for line in lines:
        console.print(line)
    bad = any(proof["record"] == "failure" for proof in proofs.values()) or any(hole.asked_for for hole in plan.holes)
    return 1 if bad else 0


def run(arguments: argparse.Namespace) -> int:
    """Measures as `pytest --benchmark-only` does, without pytest's reports."""
    from bench.plan.revisions import against
    from bench.plan.sides import chosen

    settings = Settings.from_env()
    if arguments.against is not None:
        with against(arguments.against, settings) as sides:
            return _run(settings, sides, arguments.fail_on)
    if arguments.fail_on is not None and not settings.pythons:
        raise UsageError("--fail-on: needs two sides to compare; give --against REVISION, or BENCH_PYTHONS.")
    return _run(settings, chosen(settings), arguments.fail_on)


def _run(settings: Settings, sides: tuple[Side, ...], fail_on: float | None) -> int:
    from bench.analyse.run import Run
    from bench.measure.catalogue import catalogue
    from bench.plan.cases import make_plan
    from bench.session import run_plan
    from bench.show import folder, tables

    plan = make_plan(settings, *catalogue(settings, sides))
    if not plan.cases:
        raise UsageError("nothing to measure: " + "; ".join(f"{h.case} {h.reason}" for h in plan.holes))
    console = tables.console()
    codes = [1] if any(hole.asked_for for hole in plan.holes) else []

    def publish(measured: Run) -> None:
        folder.show(measured, console)
        codes.append(measured.exit_code(fail_on))

    run_plan(plan, console, publish)
    return next(filter(None, codes), 0)


def doctor(_: argparse.Namespace) -> int:
    """Tells what makes this machine a bad instrument, and what to do about it."""
    from bench.doctor import examination as checks
    from bench.show import tables

    findings = checks.examine(Settings.from_env())
    checks.show(findings, tables.console())
    return 1 if any(finding.state == "bad" for finding in findings) else 0
