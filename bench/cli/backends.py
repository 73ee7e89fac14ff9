"""Commands that time no step: begin a problem, list backends, print what one computes, prove them, check the machine.

Their tables need no pandas, so that `list` starts quickly.
"""

import argparse
import shlex
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from backends.api import DTYPES
from bench.cli._arguments import command, number
from bench.errors import ExitCode, UsageError
from bench.judge.checking import central_differences
from bench.measure.catalogue import catalogue
from bench.measure.conductor import prove
from bench.paths import BACKENDS
from bench.plan import discovery
from bench.plan.cases import make_plan
from bench.problem import NAME, Definition
from bench.schema.case import at
from bench.settings import Settings
from bench.show import grid
from bench.show.grid import Row, column

COPIED = ("problem.py", "mistakes.py", "numpy_manual.py", "torch_autograd.py")
"""The files of the default problem that a problem of one's own begins with."""
KINDS = "kind: a seed is measured by default, a rung with --backends all; controls, guards and peaks are fixed work."


def add(parsers: Any) -> None:
    begun = command(parsers, "new", new)
    begun.add_argument("folder", type=Path, metavar="FOLDER", help="to be made, such as steps")
    command(parsers, "list", list_backends)
    trained = command(parsers, "train", train)
    trained.add_argument("backend")
    trained.add_argument("--epochs", type=number(1), default=10)
    trained.add_argument("--device", default="cpu")
    trained.add_argument("--dtype", default="float32", choices=tuple(DTYPES))
    trained.add_argument("--seed", type=number(0), default=0)
    verified = command(parsers, "verify", verify)
    verified.add_argument("backends", nargs="*", help="names; BENCH_BACKENDS by default")
    command(parsers, "doctor", doctor)


def new(arguments: argparse.Namespace) -> int:
    """Copies the default problem into a new folder, to edit: its reference, its mistakes and two ways."""
    folder: Path = arguments.folder
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise UsageError(f"new {folder}: cannot be made: {error.strerror}; name a new folder.") from None
    for name in COPIED:
        shutil.copyfile(BACKENDS / name, folder / name)
        print(folder / name)
    print(f"next: BENCH_PROBLEM={shlex.quote(str(folder))} python -m bench verify")
    return ExitCode.FINE


def list_backends(_: argparse.Namespace) -> int:
    """Shows every backend, its devices and dtypes, and why one cannot run here."""
    backends = {at(name, side.label): one for side in catalogue(Settings.from_env())[0] for name, one in side.backends.items()}
    devices = list(dict.fromkeys(device for backend in backends.values() for device in backend.why_not)) or ["cpu"]
    rows: list[Row] = []
    reasons: dict[tuple[str, str], list[str]] = {}
    for name, backend in backends.items():
        rows.append({"backend": name, "kind": backend.kind})
        for device in devices:
            runnable = [dtype for dtype in backend.dtypes if backend.reason(device, dtype) is None]
            rows[-1][device] = ", ".join(runnable) or "no"
            if not runnable:
                reason = str(backend.reason(device, (*backend.dtypes, "float32")[0]))
                reasons.setdefault((device, reason), []).append(name)
        rows[-1]["libraries"] = ", ".join(f"{library} {version}" for library, version in backend.versions.items())
    console = grid.console()
    grid.show([column(title, title == "libraries") for title in rows[0]], rows, console)
    console.print(KINDS)
    for (device, reason), names in reasons.items():
        console.print(f"no {device}: {', '.join(names)}: {reason}")
    return ExitCode.FINE


def train(arguments: argparse.Namespace) -> int:
    """Prints `epoch - loss` line by line, as the scripts that the project grew from meant to."""
    settings = Settings.from_env()
    place = arguments.device, arguments.dtype
    build = discovery.runnable(arguments.backend, *place, [settings.problem_folder, *settings.path], "train")
    definition = Definition.load(settings.problem_folder)
    step = build(definition.draw(definition.default, arguments.dtype, arguments.seed), *place)
    losses = []
    for epoch in range(arguments.epochs):
        losses.append(float(step.step()))
        print(epoch, "-", f"{losses[-1]:.{DTYPES[arguments.dtype].decimals}e}")
    if risen := [epoch for epoch in range(1, len(losses)) if not losses[epoch] <= losses[epoch - 1]]:
        print(
            f"The loss did not fall at epoch {risen[0]}{' and later' if risen[1:] else ''}: a large learning rate overshoots, "
            f"and a mistake can look the same; `python -m bench verify {arguments.backend}` says which it is.",
            file=sys.stderr,
        )
    return ExitCode.FINE


def verify(arguments: argparse.Namespace) -> int:
    """Proves the selected backends against the reference, untimed, and shows their errors."""
    settings = Settings.from_env()
    if arguments.backends:
        settings = replace(settings, backends=tuple(arguments.backends))
    plan = make_plan(settings, *catalogue(settings))
    proofs, console = prove(plan), grid.console()
    rows: list[Row] = []
    for case in plan.cases:
        proof = proofs[case.key]
        if proof["record"] == "open" and (errors := proof["errors"]):
            where = {"backend": at(case.name, case.side), "device": case.device, "dtype": case.dtype, "shape": case.shape}
            sizes = {name: f"{error:.1e}" for name, error in errors["arrays"].items()}
            rows.append({**where, **sizes, "of allowed": f"{errors['share']:.0%}"})
    if rows:
        console.print("relative errors of the loss and of the updates, against the float64 reference")
        always = ("backend", "dtype", "loss", "of allowed")
        priorities = {title: 0 if title in always else 2 if title in ("device", "shape") else 1 for title in rows[0]}
        grid.show([column(title, priority) for title, priority in priorities.items()], rows, console)
    for hole in plan.holes:
        console.print(f"unavailable: {hole.case} {hole.reason}")
    for proof in proofs.values():
        if proof["record"] == "failure":
            console.print(f"{proof['status']}: {proof['reason']}")
    agrees, sentence = central_differences(plan.definition)
    print(f"the reference ({plan.definition.folder.name}/{NAME}) {sentence}.")
    failed = not agrees or any(proof["record"] == "failure" for proof in proofs.values())
    return ExitCode.WRONG if failed or any(hole.asked_for for hole in plan.holes) else ExitCode.FINE


def doctor(_: argparse.Namespace) -> int:
    """Shows what makes this machine a bad instrument, and what to do about it."""
    from bench import doctor

    findings = doctor.examine()
    doctor.show(findings, grid.console())
    return ExitCode.WRONG if any(finding.state == "bad" for finding in findings.values()) else ExitCode.FINE
