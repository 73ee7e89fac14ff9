"""What a run found, in a sentence of plain words.

It must never say more than the verdicts do: no order among rows, nothing of a row that is not `ok`, and no FASTER or SLOWER
in a run that doubts itself.
"""

from __future__ import annotations

from typing import Any

from bench.analyse.verdicts import EQUAL, FASTER, SLOWER, UNDECIDED
from bench.units import seconds

Row = dict[str, Any]
UNPROVEN = "UNPROVEN"
"""How a doubt begins that leaves no verdict standing; see `bench.analyse.summaries.doubts`."""


def headline(rows: list[Row], baselines: dict[str, Row], margin: float, doubts: list[str]) -> str:
    """Of the steps measured on one device with one dtype, thread count and shape.

    `rows` are those of the summary with `key` and `label`, None where there is no number; `baselines` are the run's rows by
    key, and `margin` is the difference up to which two steps are EQUAL.
    """
    fine = [row for row in rows if row["status"] == "ok"]
    beside = sorted((row for row in fine if row["ratio"] and row["key"] != row["baseline"]), key=lambda row: row["ratio"])
    lost = _lost(len(rows) - len(fine))
    if not fine:
        return f"No way of writing the step got a number here{lost}."
    if not beside:
        return f"{_takes(min(fine, key=lambda row: row['seconds_per_step']))}; nothing beside it has a verdict{lost}."
    base = baselines[beside[0]["baseline"]]
    if any(doubt.startswith(UNPROVEN) for doubt in doubts):
        return f"Unproven: this run cannot tell a difference from none. {_takes(base)}, {_times(beside)}{lost}."
    clauses = [text for verdict in (FASTER, SLOWER, EQUAL, UNDECIDED, None) if (text := _clause(verdict, beside, margin))]
    return f"{_takes(base)}. {_capital('; '.join(clauses))}{lost}."


def beside(head: str, base: str, verdicts: list[str], doubts: list[str]) -> str:
    """Of a run compared with another: how many rows got which verdict; an empty one is a row that could not be judged."""
    if doubts:
        return f"Unproven: {head} cannot be compared with {base}. {' '.join(doubts)}"
    words = {FASTER: "faster", SLOWER: "slower", EQUAL: "equal", UNDECIDED: "undecided", "": "not judged"}
    counts = [f"{verdicts.count(verdict)} {word}" for verdict, word in words.items() if verdict in verdicts]
    return f"Run {head} beside {base}: {', '.join(counts)}."


def _clause(verdict: str | None, beside: list[Row], margin: float) -> str:
    rows = [row for row in beside if row["verdict"] == verdict]
    if not rows:
        return ""
    names, are = _names(rows, len(beside))
    if verdict == FASTER:
        return f"{names} {are} faster, {_factors(rows)}"
    if verdict == SLOWER:
        return f"{names} {are} slower, {_factors(rows)}"
    if verdict == EQUAL:
        return f"{names} {are} equal to it within {margin:.1%}"
    if verdict == UNDECIDED:
        return f"{names} {are} undecided: neither a difference nor equality is proven"
    return f"{names} {'has' if len(rows) == 1 else 'have'} no verdict"


def _names(rows: list[Row], of: int) -> tuple[str, str]:
    if len(rows) == 1:
        return rows[0]["label"], "is"
    if len(rows) == of:
        return f"all {of} other ways", "are"
    return f"{len(rows)} of {of} other ways", "are"


def _factors(rows: list[Row]) -> str:
    """`rows` are sorted by their ratio."""
    low, high = rows[0], rows[-1]
    if len(rows) == 1:
        return f"at {low['ratio']:.2f} times its time"
    return f"from {low['ratio']:.2f} ({low['label']}) to {high['ratio']:.2f} times its time ({high['label']})"


def _takes(row: Row) -> str:
    return f"{row['label']} takes {seconds(row['seconds_per_step'])} a step"


def _times(beside: list[Row]) -> str:
    if len(beside) == 1:
        return f"{beside[0]['label']} was seen at {beside[0]['ratio']:.2f} times that"
    return f"{len(beside)} other ways were seen at {beside[0]['ratio']:.2f} to {beside[-1]['ratio']:.2f} times that"


def _lost(number: int) -> str:
    return f"; {number} without a number, see below for why" if number else ""


def _capital(text: str) -> str:
    """A sentence begins with a capital, but a backend keeps its name."""
    return text[0].upper() + text[1:] if text.startswith("all ") else text
