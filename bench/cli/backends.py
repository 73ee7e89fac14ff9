"""Commands that time nothing: which backends there are, what one prints, and whether they are right."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

from backends.api import DTYPES
from bench.cli._arguments import Parsers, command, number
from bench.errors import ExitCode
from bench.problem import NAME
from bench.settings import Settings


def add(parsers: Parsers) -> None:
    command(parsers, "list", list_backends)
    trained = command(parsers, "train", train)
    trained.add_argument("backend")
    trained.add_argument("--epochs", type=number(1), default=10)
    trained.add_argument("--device", default="cpu")
    trained.add_argument("--dtype", default="float32", choices=tuple(DTYPES))
    trained.add_argument("--seed", type=number(0), default=0)
    verified = command(parsers, "verify", verify)
    verified.add_argument("backends", nargs="*", help="names; BENCH_BACKENDS by default")


def list_backends(_: argparse.Namespace) -> int:
    """Shows every backend, its devices and dtypes, and why one cannot run here."""
    from bench.measure.catalogue import catalogue
    from bench.show import backend_tables, grid

    backend_tables.show(catalogue(Settings.from_env())[0], grid.console())
    return ExitCode.FINE


def train(arguments: argparse.Namespace) -> int:
    """Prints `epoch - loss` line by line, as the scripts that the project grew from meant to."""
    from bench.plan import discovery
    from bench.problem import Definition

    settings = Settings.from_env()
    paths = discovery.find([settings.problem_folder, *settings.path], {})
    place = arguments.device, arguments.dtype
    build = discovery.runnable(arguments.backend, *place, paths, "train")
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
    from bench.judge.checking import central_differences
    from bench.measure.catalogue import catalogue
    from bench.measure.conductor import prove
    from bench.plan.cases import make_plan
    from bench.show import backend_tables, grid

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
