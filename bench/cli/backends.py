"""Commands that time nothing: begin a problem, list backends, print what one computes, prove them."""

from __future__ import annotations

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
from bench.settings import Settings
from bench.show import backend_tables, grid

COPIED = ("problem.py", "mistakes.py", "numpy_manual.py", "torch_autograd.py")
"""The files of the default problem that a problem of one's own begins with."""


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


def new(arguments: argparse.Namespace) -> int:
    """Copies the default problem into a new folder, to edit: its reference, its mistakes and two ways."""
    folder: Path = arguments.folder
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise UsageError(f"new {folder}: it exists already; name a new folder.") from None
    except OSError as error:
        raise UsageError(f"new {folder}: cannot be made: {error.strerror}; name another folder.") from None
    for name in COPIED:
        shutil.copyfile(BACKENDS / name, folder / name)
        print(folder / name)
    print(f"next: BENCH_PROBLEM={shlex.quote(str(folder))} python -m bench verify")
    return ExitCode.FINE


def list_backends(_: argparse.Namespace) -> int:
    """Shows every backend, its devices and dtypes, and why one cannot run here."""
    backend_tables.show(catalogue(Settings.from_env())[0], grid.console())
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
    proofs = prove(plan)
    backend_tables.show_proofs(plan, proofs, grid.console())
    agrees, sentence = central_differences(plan.definition)
    print(f"the reference ({plan.definition.folder.name}/{NAME}) {sentence}.")
    failed = not agrees or any(proof["record"] == "failure" for proof in proofs.values())
    return ExitCode.WRONG if failed or any(hole.asked_for for hole in plan.holes) else ExitCode.FINE
