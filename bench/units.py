"""Numbers as people read them; everywhere else they are seconds, bytes and plain ratios.

It must never be used before the last step to a screen or a page.
"""

from __future__ import annotations

import math

TIMES = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))
"""Units with their size, the largest first; a smaller number is told in ns."""
SIZES = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))
"""Likewise; a smaller number is told in B."""


def seconds(value: float) -> str:
    """Three significant digits with the unit that suits: `297 µs`."""
    if not math.isfinite(value):
        return ""
    for unit, scale in TIMES:
        if value >= scale * 0.9995:
            return f"{digits(value / scale)} {unit}"
    return f"{digits(value / 1e-9)} ns"


def spread(low: float, high: float) -> str:
    """Half the width of an interval relative to its middle: `±0.4%`."""
    return f"±{(high - low) / (high + low):.1%}" if math.isfinite(low + high) else ""


def span(low: float, high: float) -> str:
    return f"{low:.3f}–{high:.3f}" if math.isfinite(low + high) else ""


def digits(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}"


def size(value: float) -> str:
    """Three significant digits of bytes, in powers of 1000: `912 kB`."""
    if not math.isfinite(value):
        return ""
    for unit, scale in SIZES:
        if value >= scale * 0.9995:
            return f"{digits(value / scale)} {unit}"
    return f"{value:.0f} B"


def giga(value: float) -> str:
    return digits(value / 1e9) if math.isfinite(value) else ""
