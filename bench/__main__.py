"""The command line: `python -m bench list|train|verify|run|summary|compare|doctor|export`.

It must never hold logic of its own: every command is a few calls into the rooms that do the work.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import UsageError, unknown
from bench.settings import Settings, whole_number

if TYPE_CHECKING:
    from bench.sides import Side


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code.

    0 fine, 1 a step is wrong or what --fail-on asks, 2 bad usage or input, 3 unproven, 130 Ctrl-C.
    """
    arguments = _parser().parse_args(argv)
    try:
        code: int = arguments.command(arguments)
        sys.stdout.flush()
        return code
    except UsageError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except KeyboardInterrupt:
        return 130


def list_backends(_: argparse.Namespace) -> int:
    """Shows every backend, its devices and dtypes, and why one cannot run here."""
    from rich.table import Table

    from bench import tables
    from bench.catalogue import catalogue
    from bench.sides import at

    sides = catalogue(Settings.from_env())[0]
    backends = {at(name, side.label): backend for side in sides for name, backend in side.backends.items()}
    devices = list(dict.fromkeys(device for backend in backends.values() for device in backend.why_not))
    table = Table("backend", "kind", *devices, "libraries", box=None, pad_edge=False)
    for name, backend in backends.items():
        cells = []
        for device in devices:
            fine = [dtype for dtype in backend.dtypes if backend.reason(device, dtype) is None]
            cells.append(", ".join(fine) or f"no: {backend.reason(device, (*backend.dtypes, 'float32')[0])}")
        versions = (f"{library} {version}" for library, version in backend.versions.items())
        table.add_row(name, backend.kind, *cells, ", ".join(versions))
    tables.console().print(table, soft_wrap=False)
    return 0


def train(arguments: argparse.Namespace) -> int:
    """Prints `epoch - loss` line by line, as the scripts that the project grew from meant to."""
    from backends.api import Problem
    from bench import discovery

    settings = Settings.from_env()
    paths = discovery.find([discovery.BACKENDS, *settings.path])
    if arguments.backend not in paths:
        raise unknown("backend", arguments.backend, list(paths), "train")
    try:
        build = discovery.load(paths[arguments.backend])
    except discovery.MissingLibrary as missing:
        raise UsageError(f"{arguments.backend}: needs the library {missing}, which is not installed.") from None
    if reason := build.why_not(arguments.device, arguments.dtype):
        raise UsageError(f"{arguments.backend} {reason}.")
    step = build(Problem.random(seed=arguments.seed), arguments.device, arguments.dtype)
    decimals = {"float32": 4, "float64": 12}[arguments.dtype]  # what every way of summing agrees on after ten epochs
    for epoch in range(arguments.epochs):
        print(epoch, "-", f"{float(step.step()):.{decimals}e}")
    return 0


def verify(arguments: argparse.Namespace) -> int:
    """Proves the selected backends against the reference, untimed, and shows their errors."""
    from rich.table import Table

    from bench import tables
    from bench.cases import make_plan
    from bench.catalogue import catalogue
    from bench.conductor import prove
    from bench.sides import at
    from bench.verify import TOLERANCE

    settings = Settings.from_env()
    if arguments.backends:
        settings = replace(settings, backends=tuple(arguments.backends))
    plan = make_plan(settings, *catalogue(settings))
    proofs = prove(plan)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for title in ("backend", "device", "dtype", "shape", "loss", "w1", "w2", "allowed"):
        table.add_column(title, no_wrap=True)
    for case in plan.cases:
        proof = proofs[case.key]
        if proof["record"] == "open" and proof["errors"]:
            errors = (f"{proof['errors'][name]:.1e}" for name in ("loss", "w1", "w2"))
            shape = "x".join(map(str, case.shape))
            table.add_row(at(case.name, case.side), case.device, case.dtype, shape, *errors, f"{TOLERANCE[case.dtype]:.0e}")
    console = tables.console()
    if table.row_count:
        console.print("relative errors of the loss and of the updates, against the float64 reference")
        console.print(table, soft_wrap=False)
    lines = [f"unavailable: {hole.case} {hole.reason}" for hole in plan.holes]
    lines += [f"{proof['status']}: {proof['reason']}" for proof in proofs.values() if proof["record"] == "failure"]
    for line in lines:
        console.print(line)
    bad = any(proof["record"] == "failure" for proof in proofs.values()) or any(hole.asked_for for hole in plan.holes)
    return 1 if bad else 0


def run(arguments: argparse.Namespace) -> int:
    """Measures as `pytest --benchmark-only` does, without pytest's reports."""
    from bench.against import against
    from bench.sides import chosen

    settings = Settings.from_env()
    if arguments.against is not None:
        with against(arguments.against, settings) as sides:
            return _run(settings, sides, arguments.fail_on)
    if arguments.fail_on is not None and not settings.pythons:
        raise UsageError("--fail-on: needs two sides to compare; give --against REVISION, or BENCH_PYTHONS.")
    return _run(settings, chosen(settings), arguments.fail_on)


def _run(settings: Settings, sides: tuple[Side, ...], fail_on: float | None) -> int:
    from bench import runs, tables
    from bench.cases import make_plan
    from bench.catalogue import catalogue

    plan = make_plan(settings, *catalogue(settings, sides))
    if not plan.cases:
        raise UsageError("nothing to measure: " + "; ".join(f"{h.case} {h.reason}" for h in plan.holes))
    console = tables.console()
    codes = [1] if any(hole.asked_for for hole in plan.holes) else []

    def publish(measured: runs.Run) -> None:
        measured.show(console)
        codes.append(measured.exit_code(fail_on))

    runs.run(plan, console, publish)
    return next(filter(None, codes), 0)


def summary(arguments: argparse.Namespace) -> int:
    """Rebuilds the tables of stored runs from their journals."""
    from bench import frame, tables
    from bench.runs import Run

    for story in frame.stories(*arguments.path):
        measured = Run.of(story)
        measured.show(tables.console())
        measured.write()
    return 0


def compare(arguments: argparse.Namespace) -> int:
    """Compares runs and says which differences are real; exit code 1 for what --fail-on asks, 3 if nothing is proven."""
    from bench import comparison, comparison_tables, tables

    results = Settings.from_env().results
    codes = []
    for head in (arguments.head, *arguments.more):
        found = comparison.of_files(arguments.base.split(","), head.split(","), arguments.campaign or (), results)
        write = comparison_tables.FORMATS.get(arguments.format)
        if write:
            print(write(found), end="")
        else:
            tables.console().print(f"base {arguments.base}, head {head}", style="bold")
            comparison_tables.terminal(found, tables.console())
        if arguments.github_summary:
            with Path(arguments.github_summary).open("a", encoding="utf-8") as summary:
                summary.write(f"### {head} beside {arguments.base}\n\n{comparison_tables.markdown(found)}\n")
        failures = found.failures(arguments.fail_on) if arguments.fail_on is not None else []
        for line in (*found.left_out, *(failures or [])):
            print(f"bench: {line}", file=sys.stderr)
        codes.append(2 if found.left_out else 3 if found.doubts else 1 if failures else 0)
    return next((code for code in (2, 3, 1) if code in codes), 0)


def doctor(_: argparse.Namespace) -> int:
    """Tells what makes this machine a bad instrument, and what to do about it."""
    from bench import doctor as checks
    from bench import tables

    findings = checks.examine(Settings.from_env())
    checks.show(findings, tables.console())
    return 1 if any(finding.state == "bad" for finding in findings) else 0


def export(arguments: argparse.Namespace) -> int:
    """Writes stored runs as files that other tools read."""
    from bench import export, frame

    files, told = export.export(frame.stories(*arguments.run), arguments.format, arguments.controls)
    sys.stderr.writelines(f"bench: {line}\n" for line in told)
    export.write(files, arguments.output)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="What one training step costs, proven and timed.")
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(function: Any) -> argparse.ArgumentParser:
        text = function.__doc__
        name = {"list_backends": "list"}.get(function.__name__, function.__name__)
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(command=function)
        return added

    command(list_backends)
    trained = command(train)
    trained.add_argument("backend")
    trained.add_argument("--epochs", type=_number(1), default=10)
    trained.add_argument("--device", default="cpu")
    trained.add_argument("--dtype", default="float32", choices=("float32", "float64"))
    trained.add_argument("--seed", type=_number(0), default=0)
    command(verify).add_argument("backends", nargs="*", help="names; BENCH_BACKENDS by default")
    measured = command(run)
    measured.add_argument("--against", metavar="REVISION", help="measure backends/ of a git revision beside those here")
    measured.add_argument("--fail-on", type=_slower, metavar="slower[:PERCENT%]", help="exit with 1 if a later side is SLOWER")
    command(summary).add_argument("path", nargs="*", type=Path, help="a run's folder, or one above it; results by default")
    compared = command(compare)
    side = "a run's folder or one of its files; several are joined by commas, or stand in one folder"
    compared.add_argument("base", help=side)
    compared.add_argument("head", help=side)
    compared.add_argument("more", nargs="*", help="further heads, each compared with the same base")
    compared.add_argument("--campaign", nargs="+", help="runs of unchanged code on this machine; those in results by default")
    compared.add_argument("--format", choices=("text", "md", "csv", "json"), default="text")
    compared.add_argument("--fail-on", type=_slower, metavar="slower[:PERCENT%]", help="exit with 1 if a row is SLOWER")
    compared.add_argument("--github-summary", metavar="FILE", help="append Markdown to it: $GITHUB_STEP_SUMMARY")
    command(doctor)
    exported = command(export)
    exported.add_argument("run", nargs="+", type=Path, help="a run's folder, or one above it")
    exported.add_argument("--format", required=True, choices=("github-action-benchmark", "bencher", "asv", "csv"))
    exported.add_argument("-o", "--output", type=Path, help="a file, for asv a folder; stdout by default")
    exported.add_argument("--controls", action="store_true", help="the twin, null and the yardsticks too")
    return parser


def _slower(text: str) -> float:
    """`slower` or `slower:5%` → the share from which on a SLOWER row fails."""
    name, _, share = text.partition(":")
    try:
        value = float(share.removesuffix("%") or 0) / 100
    except ValueError:
        value = -1.0
    if name != "slower" or not 0 <= value < math.inf or text.endswith(":"):
        raise argparse.ArgumentTypeError(f"{text!r}: expected slower, or slower:5% for a slowdown of at least 5 %")
    return value


def _number(low: int) -> Any:
    parse = whole_number(low)

    def whole(text: str) -> int:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r}: expected {error}") from None

    return whole


if __name__ == "__main__":
    sys.exit(main())
