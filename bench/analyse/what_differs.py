"""What else than the steps differs between two sides: libraries and settings, and the machine's clock, as guards show it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

import pandas as pd

from bench.schema.case import GUARD, PEAK

SETTINGS = {
    "versions": "", "python": "Python ", "machine": "machine ", "kernels": "environment ", "allocator": "allocator ",
    "steps_per_round": "steps per round ", "rounds": "rounds ", "system": "", "libc": "", "commit": "commit ",
}  # fmt: skip
"""Columns that may explain a difference, and the text before their values; a table need not have all."""


def differences(base: pd.DataFrame, head: pd.DataFrame) -> list[str]:
    """What else differs between base and head than what is compared: `torch 2.13.0 → 2.14.1`."""
    found = ["another source of the step"] if {*base["source_hash"]} != {*head["source_hash"]} else []
    for column, name in SETTINGS.items():
        if column in base:
            values = [_values(column, side[column]) for side in (base, head)]
            for key in sorted({*values[0], *values[1]}):
                old, new = (", ".join(sorted(each.get(key, {"none"}))) for each in values)
                found += [f"{name}{key}{old} → {new}"] if old != new else []
    return found


def _values(column: str, texts: Iterable[object]) -> dict[str, set[str]]:
    """The values of a column; of `versions`, those of each library."""
    if column != "versions":
        shown = (re.sub(r"(?<=^\w{8})\w+", "", str(text)) if column == "commit" else str(text) for text in texts)
        return {"": {text or "unknown" for text in shown}}
    values: dict[str, set[str]] = {}
    for library, _, version in (pair.partition("==") for text in texts for pair in str(text).split()):
        values.setdefault(f"{library} ", set()).add(version)
    return values


def guards_moved(base: dict[Any, pd.DataFrame], head: dict[Any, pd.DataFrame]) -> dict[Any, float]:
    """Each guard that did the same work on both sides → by how much its log time moved.

    Guards are controls that only compute, so that their times follow the clock: calibration workloads, and peaks that count
    operations. A peak of memory traffic moves with the neighbours, by 2 % in calm runs.
    """
    moved = {}
    for key in base.keys() & head.keys():
        rows = pd.concat([base[key], head[key]])
        computes = (rows["kind"] == GUARD) | ((rows["kind"] == PEAK) & (rows["flop_per_second"] > 0))
        work = rows[["source_hash", "versions", "kernels", "singly"]].drop_duplicates()
        if computes.all() and len(work) == 1 and work["source_hash"].iloc[0]:
            moved[key] = float(head[key]["log"].mean() - base[key]["log"].mean())
    return {key: change for key, change in moved.items() if math.isfinite(change)}
