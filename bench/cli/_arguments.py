"""What the groups of commands share: how they declare their arguments, and where their output goes."""

import argparse
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.settings import Parse, Settings, above_0, parser, share, whole_number

QUICK = {"BENCH_PROCESSES": "3", "BENCH_BLOCKS": "3"}
"""What `--quick` sets, unless an option says otherwise."""


def command(parsers: Any, name: str, function: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    """A command that calls `function`, whose docstring is its help; `parsers` is what `add_subparsers` returns."""
    added: argparse.ArgumentParser = parsers.add_parser(name, help=function.__doc__, description=function.__doc__)
    added.set_defaults(command=function, parser=added)
    return added


def parsed(parse: Parse, keep: bool = False) -> Callable[[str], Any]:
    """Parses an option as `parse` does a setting; with `keep` returns the text itself once it has been parsed."""

    def option(text: str) -> Any:
        try:
            value = parse(text.strip())
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r}: expected {error}") from None
        return text if keep else value

    return option


def number(low: int) -> Callable[[str], int]:
    """Parses a whole number of at least `low`."""
    return parsed(whole_number(low))


def _slowdown(text: str) -> float:
    name, colon, least = text.partition(":")
    if name != "slower":
        raise ValueError
    return float(least.removesuffix("%")) / 100 if colon else 0.0


slower = parsed(parser("slower, or slower:5% for a slowdown of at least 5 %", _slowdown, lambda value: 0 <= value < math.inf))
"""`slower` or `slower:5%` → the share from which on a SLOWER row fails."""
margin, minutes = parsed(share), parsed(above_0("minutes"))


def settings_options(to: argparse.ArgumentParser) -> None:
    """Adds an option for every setting; `settings_environ` reads them."""
    group = to.add_argument_group("settings", "each is the variable BENCH_NAME as well; an option wins")
    for variable, setting in Settings.variables().items():
        text = f"{setting.metadata['help']}; {setting.metadata['default'] or 'none'}".replace("%", "%%").replace("`", "")
        check = parsed(setting.metadata["parse"], keep=True)
        group.add_argument("--" + setting.name, dest=variable, metavar="X", type=check, help=text)


def settings_environ(arguments: argparse.Namespace) -> Mapping[str, str]:
    """The environment with the settings that options give."""
    given = {name: getattr(arguments, name) for name in Settings.variables() if getattr(arguments, name, None) is not None}
    return {**os.environ, **(QUICK if getattr(arguments, "quick", False) else {}), **given}


def settings(arguments: argparse.Namespace) -> Settings:
    """Raises `UsageError`."""
    return Settings.from_env(settings_environ(arguments))


def write(content: str | bytes, output: Path | None) -> None:
    """Writes to `output`, or a text to stdout without one. Raises `UsageError`."""
    if output is None:
        print(content, end="")
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_bytes(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise UsageError(f"-o {output}: cannot be written: {error.strerror}; name another file.") from None
