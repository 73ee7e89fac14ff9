"""Lets output streams write replacements for characters that their encoding lacks."""

from __future__ import annotations

import codecs
import io
from typing import IO

NAME = "stepbench-replace"
PLAIN = {"µ": "u", "–": "-", "±": "+-", "·": "-", "²": "2", "…": "...", "∞": "inf", "│": "|"}
PLAIN |= dict.fromkeys("▏▎▍▌▋▊▉█", "#")
"""What stands for a character that an output stream cannot encode; any other one is escaped."""


def write_replacements(stream: IO[str] | None) -> None:
    """Makes a stream write `PLAIN` where it would fail, as under LANG=C or PYTHONIOENCODING=ascii."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors=NAME)


def _replaced(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    failed = error.object[error.start : error.end]
    escaped = (one.encode("ascii", "backslashreplace").decode() for one in failed)
    return "".join(map(PLAIN.get, failed, escaped)), error.end


codecs.register_error(NAME, _replaced)
