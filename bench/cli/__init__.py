"""The command line: parsing and exit codes, and calls into the floors below that do the work.

A module here is a group of commands and declares them in `add(parsers)`. A command imports what it works with when it is
called, so that `--help` and `list` need not wait for pandas.
"""

import argparse
import errno
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import __version__
from bench.cli import backends, measuring, stored
from bench.errors import ExitCode, UsageError, unknown
from bench.units import write_replacements


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns its `ExitCode`."""
    write_replacements(sys.stdout)
    arguments, rest = _parser().parse_known_args(argv)
    try:
        if rest:
            raise _unknown(arguments.parser, rest)
        code: int = arguments.command(arguments)
        print(end="", flush=True)
        return code
    except UsageError as error:
        print(f"bench: {error}", file=sys.stderr)
        return ExitCode.USAGE
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.ENOSPC):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if error.errno == errno.EPIPE:  # the reader, `head` say, has seen enough
            return ExitCode.FINE
        print(f"bench: {error.strerror}; make room and run it again.", file=sys.stderr)
        return ExitCode.USAGE
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED


def _unknown(parser: argparse.ArgumentParser, rest: list[str]) -> UsageError:
    """An option that a command does not have, with the nearest one that it has."""
    option = next((text for text in rest if text.startswith("-")), None)
    if option is None:
        return UsageError(f"{parser.prog}: unexpected argument {rest[0]!r}; see {parser.prog} --help.")
    known = re.findall(r"(?<=[ \[])--[\w-]+", parser.format_usage())
    return unknown("option", option.partition("=")[0], known, parser.prog)


def _parser() -> argparse.ArgumentParser:
    script = Path(sys.argv[0]).stem
    parser = argparse.ArgumentParser(
        prog=script if script == "stepbench" else "python -m bench",
        description="What one training step costs, proven and timed.",
    )
    parser.add_argument("--version", action="version", version=f"stepbench {__version__}")
    parsers = parser.add_subparsers(required=True, metavar="command")
    for module in (backends, measuring, stored):
        module.add(parsers)
    return parser
