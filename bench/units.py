"""Numbers as text for people, and streams that lack some of its characters."""

import codecs
import io
import math
from typing import IO

PREFIXES = {"G": 1e9, "M": 1e6, "k": 1e3, "": 1.0, "m": 1e-3, "µ": 1e-6, "n": 1e-9}
PLAIN = {"µ": "u", "–": "-", "±": "+-", "·": "-", "²": "2", "…": "...", "∞": "inf", "│": "|"}
PLAIN |= dict.fromkeys("▏▎▍▌▋▊▉█", "#")
"""What stands for a character that an output stream cannot encode; any other one is escaped."""


def seconds(value: float) -> str:
    """Three significant digits with the unit that suits: `297 µs`."""
    if not math.isfinite(value):
        return ""
    amount, prefix = _scaled(value, ("", "m", "µ", "n"))
    return f"{digits(amount)} {prefix}s"


def spread(low: float, high: float) -> str:
    """Half the width of an interval relative to its middle: `±0.4%`."""
    return f"±{(high - low) / (high + low):.1%}" if math.isfinite(low + high) else ""


def span(low: float, high: float) -> str:
    return f"{low:.3f}–{high:.3f}" if math.isfinite(low + high) else ""


def percent(share: float) -> str:
    """`+3.2 %`, and without decimals from 100 % on."""
    return f"{100 * share:+.{0 if abs(share) >= 0.9995 else 1}f} %"


def digits(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}"


def size(value: float) -> str:
    """Three significant digits of bytes, in powers of 1000: `912 kB`."""
    if not math.isfinite(value):
        return ""
    amount, prefix = _scaled(value, ("G", "M", "k", ""))
    return f"{digits(amount) if prefix else f'{amount:.0f}'} {prefix}B"


def giga(value: float) -> str:
    return digits(value / PREFIXES["G"]) if math.isfinite(value) else ""


def _scaled(value: float, prefixes: tuple[str, ...]) -> tuple[float, str]:
    """A value in the largest of the prefixes, given in falling order, in which it does not round to less than one."""
    prefix = next((prefix for prefix in prefixes if value >= PREFIXES[prefix] * 0.9995), prefixes[-1])
    return value / PREFIXES[prefix], prefix


def write_replacements(stream: IO[str] | None) -> None:
    """Makes a stream write `PLAIN` where it would fail, as under LANG=C or PYTHONIOENCODING=ascii."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="stepbench")


def _replaced(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    failed = error.object[error.start : error.end]
    escaped = (one.encode("ascii", "backslashreplace").decode() for one in failed)
    return "".join(map(PLAIN.get, failed, escaped)), error.end


codecs.register_error("stepbench", _replaced)
