"""Expected errors: bad input and rejected steps."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Of a command and of what it judges; pytest ends with codes of its own."""

    FINE = 0
    WRONG = 1
    """A step is wrong or failed, or there is what --fail-on stops."""
    USAGE = 2
    UNPROVEN = 3
    INTERRUPTED = 130


class UsageError(Exception):
    """Bad input of a user; every command turns it into an exit code.

    One sentence: the value, what was expected, where, and what to do next.
    """


class Wrong(Exception):
    """A step failed its proof; one sentence that says what is wrong."""


def unknown(what: str, value: str, known: list[str], place: str) -> UsageError:
    """An error for a name that is not one of `known`, with the nearest one suggested."""
    import difflib

    near = difflib.get_close_matches(value, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}."
    return UsageError(f"{place}: unknown {what} {value!r}; {hint}")


def missing(library: str, place: str, extra: str, run: str = "") -> UsageError:
    """An error for an optional library; the project's extra of this name has it, `run` is a shorter way to get it."""
    run = run or f"python -m pip install -c constraints.txt -e '.[{extra}]'"
    return UsageError(f"{place}: needs {library} of the extra `{extra}`, which is not installed; run `{run}`.")
