"""What the groups of commands declare theirs with."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import Protocol, TypeVar

from bench.settings import above_0, share, whole_number

T = TypeVar("T")


class Parsers(Protocol):
    """What `argparse.ArgumentParser.add_subparsers` returns."""

    def add_parser(self, name: str, *, help: str | None, description: str | None) -> argparse.ArgumentParser: ...


def command(parsers: Parsers, name: str, function: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    """A command that calls `function`, whose docstring is its help."""
    parser = parsers.add_parser(name, help=function.__doc__, description=function.__doc__)
    parser.set_defaults(command=function)
    return parser


def slower(text: str) -> float:
    """`slower` or `slower:5%` → the share from which on a SLOWER row fails."""
    name, _, least = text.partition(":")
    try:
        value = float(least.removesuffix("%") or 0) / 100
    except ValueError:
        value = -1.0
    if name != "slower" or not 0 <= value < math.inf or text.endswith(":"):
        raise argparse.ArgumentTypeError(f"{text!r}: expected slower, or slower:5% for a slowdown of at least 5 %")
    return value


def parsed(parse: Callable[[str], T]) -> Callable[[str], T]:
    """What a setting is parsed by, for an option."""

    def option(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r}: expected {error}") from None

    return option


def number(low: int) -> Callable[[str], int]:
    """Parses a whole number of at least `low`."""
    return parsed(whole_number(low))


margin = parsed(share)
minutes = parsed(above_0("minutes"))
