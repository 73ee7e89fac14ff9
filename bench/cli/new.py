"""The command that begins a problem folder."""

from __future__ import annotations

import argparse
import shlex
import shutil
from pathlib import Path

from bench.cli._arguments import Parsers, command
from bench.errors import ExitCode, UsageError
from bench.paths import SKELETON


def add(parsers: Parsers) -> None:
    begun = command(parsers, "new", new)
    begun.add_argument("folder", type=Path, metavar="FOLDER", help="to be made, such as steps")


def new(arguments: argparse.Namespace) -> int:
    """Writes a problem of your own into a new folder: a reference, two ways and a mistake, to edit."""
    folder: Path = arguments.folder
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise UsageError(f"new {folder}: it exists already; name a new folder.") from None
    except OSError as error:
        raise UsageError(
            f"new {folder}: cannot be made: {error.strerror}; name another folder."
        ) from None
    for file in sorted(SKELETON.glob("*.py")):
        shutil.copyfile(file, folder / file.name)
        print(folder / file.name)
    print(f"next: BENCH_PROBLEM={shlex.quote(str(folder))} python -m bench verify")
    return ExitCode.FINE
