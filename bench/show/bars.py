"""A time as a bar of characters."""

from __future__ import annotations

import math
from collections.abc import Sequence

EIGHTHS = " ▏▎▍▌▋▊▉"
WIDE = 30
"""The slowest over the fastest from which on a linear scale shows no more than the slowest."""


def is_wide(times: Sequence[float]) -> bool:
    """Whether times need a logarithmic scale."""
    return bool(times) and max(times) > WIDE * min(times)


def bar(share: float, cells: int) -> str:
    """`share` of so many characters, to an eighth of one; empty for NaN."""
    if not math.isfinite(share):
        return ""
    whole, eighth = divmod(round(8 * cells * share), 8)
    return ("█" * whole + EIGHTHS[eighth]).rstrip()
