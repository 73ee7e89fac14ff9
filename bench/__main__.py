"""The command line: `python -m bench COMMAND`, with `list`, `run`, `show`, `compare`, `report` and others.

It must never let an error of the user's end in a traceback; what a command does stands in `bench/commands.py`
and, for stored runs, in `bench/stored.py`.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.cli import commands, stored
from bench.errors import UsageError
from bench.settings import whole_number


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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="What one training step costs, proven and timed.")
    parsers = parser.add_subparsers(required=True, metavar="command")

    def command(function: Any) -> argparse.ArgumentParser:
        text = function.__doc__
        name = {"list_backends": "list"}.get(function.__name__, function.__name__)
        added = parsers.add_parser(name, help=text, description=text)
        added.set_defaults(command=function)
        return added

    command(commands.list_backends)
    trained = command(commands.train)
    trained.add_argument("backend")
    trained.add_argument("--epochs", type=_number(1), default=10)
    trained.add_argument("--device", default="cpu")
    trained.add_argument("--dtype", default="float32", choices=("float32", "float64", "tf32", "bfloat16"))
    trained.add_argument("--seed", type=_number(0), default=0)
    command(commands.verify).add_argument("backends", nargs="*", help="names; BENCH_BACKENDS by default")
    measured = command(commands.run)
    measured.add_argument("--against", metavar="REVISION", help="measure backends/ of a git revision beside those here")
    measured.add_argument("--fail-on", type=_slower, metavar="slower[:PERCENT%]", help="exit with 1 if a later side is SLOWER")
    rebuilt = command(stored.summary)
    rebuilt.add_argument("path", nargs="*", type=Path, help="a run's folder, or one above it; results by default")
    shown = command(stored.show)
    shown.add_argument("run", type=Path, help=(latest := "a run's folder, or one above it: of several runs the latest"))
    shown.add_argument("--format", choices=("text", "md"), default="text", help="md: a table to paste into an issue")
    drawn = command(stored.picture)
    drawn.add_argument("run", type=Path, help=latest)
    drawn.add_argument("-o", "--output", type=Path, metavar="FILE", help="its suffix says the format; times.svg by default")
    compared = command(stored.compare)
    side = "a run's folder or one of its files; several are joined by commas, or stand in one folder"
    compared.add_argument("base", help=side)
    compared.add_argument("head", help=side)
    compared.add_argument("more", nargs="*", help="further heads, each compared with the same base")
    compared.add_argument("--campaign", nargs="+", help="runs of unchanged code on this machine; those in results by default")
    compared.add_argument("--format", choices=("text", "md", "csv", "json"), default="text")
    compared.add_argument("--fail-on", type=_slower, metavar="slower[:PERCENT%]", help="exit with 1 if a row is SLOWER")
    compared.add_argument("--github-summary", metavar="FILE", help="append Markdown to it: $GITHUB_STEP_SUMMARY")
    scaled = command(stored.scaling)
    scaled.add_argument("run", type=Path, help="a run over several shapes, of a folder the latest")
    scaled.add_argument("--baseline", help="what lines are crossed with; the run's baseline by default")
    shown = command(stored.report)
    shown.add_argument("run", nargs="*", type=Path, help="a run's folder, or one above it; the latest run by default")
    shown.add_argument("-o", "--output", type=Path, help="the file; report.html in the last run's folder by default")
    shown.add_argument("--open", action="store_true", help="show it in the browser")
    command(commands.doctor)
    command(stored.results)
    exported = command(stored.export)
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
