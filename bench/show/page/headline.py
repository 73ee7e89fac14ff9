"""What a run found: one short sentence of plain words, and what belongs to it in a few more.

Neither may say more than the verdicts do: no order among rows, nothing of a row that is not `ok`, and no FASTER or SLOWER
in a run that doubts itself.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from bench.analyse.verdicts import EQUAL, FASTER, SLOWER, UNDECIDED
from bench.units import seconds

Row = dict[str, Any]
UNPROVEN = "UNPROVEN"
"""How a doubt begins that leaves no verdict standing; see `bench.analyse.summaries.doubts`."""
WORDS = {FASTER: "faster", SLOWER: "slower", EQUAL: "equal", UNDECIDED: "undecided", "": "not judged"}
NAME = 28
"""Characters that a name has at most in the sentence."""


class Headline(NamedTuple):
    text: str
    """At most 20 words, so that there are 25 when the page says before it which device, dtype, threads and shape."""
    details: str


def headline(rows: list[Row], by_key: dict[str, Row], margin: float, doubts: list[str]) -> Headline:
    """Of the steps measured on one device with one dtype, thread count and shape.

    `rows` are those of the summary with `key` and `label`, None where there is no number; `by_key` has all of the run's rows,
    baselines among them, and `margin` is the difference up to which two steps are EQUAL.
    """
    measured = [row for row in rows if row["status"] == "ok"]
    compared = sorted((row for row in measured if row["ratio"] and row["key"] != row["baseline"]), key=lambda row: row["ratio"])
    lost = len(rows) - len(measured)
    unmeasured = [f"{lost} without a number; below is why."] if lost else []
    if not measured:
        return Headline("No way of writing the step got a number here.", " ".join(unmeasured))
    if not compared:
        takes = _takes(min(measured, key=lambda row: row["seconds_per_step"]))
        return Headline(f"{takes}; nothing beside it has a verdict.", " ".join(unmeasured))
    baselines = {row["baseline"] for row in compared}
    base = "Each way has its own baseline" if len(baselines) > 1 else _takes(by_key[baselines.pop()])
    if any(doubt.startswith(UNPROVEN) for doubt in doubts):
        seen = [f"{base}.", f"Seen, not proven: {_factors(compared)}.", *unmeasured]
        return Headline("Unproven: this run cannot tell a difference from none.", " ".join(seen))
    by_verdict = {verdict: [row for row in compared if (row["verdict"] or UNDECIDED) == verdict] for verdict in WORDS}
    by_verdict = {verdict: members for verdict, members in by_verdict.items() if members}
    details = [_detail(verdict, members, margin) for verdict, members in by_verdict.items()]
    return Headline(f"{base}; {_counts(by_verdict)}.", " ".join([*details, *unmeasured]))


def beside(head: str, base: str, verdicts: list[str], doubts: list[str]) -> str:
    """Of a run compared with another: how many rows got which verdict; an empty one is a row that could not be judged."""
    if doubts:
        return f"Unproven: {head} cannot be compared with {base}. {' '.join(doubts)}"
    counts = [f"{verdicts.count(verdict)} {word}" for verdict, word in WORDS.items() if verdict in verdicts]
    return f"Run {head} beside {base}: {', '.join(counts)}."


def _counts(by_verdict: dict[str, list[Row]]) -> str:
    """How many rows got which verdict: `of 3 other ways, 1 is faster and 2 slower`."""
    total = sum(map(len, by_verdict.values()))
    (verdict, members), *further = by_verdict.items()
    if further:
        are = f"{len(members)} {'is' if len(members) == 1 else 'are'} {WORDS[verdict]}"
        *middle, last = [f"{len(others)} {WORDS[other]}" for other, others in further]
        return f"of {total} other ways, {', '.join([are, *middle])} and {last}"
    if total == 1:
        return f"{_name(members[0])} is {WORDS[verdict]}"
    return f"{'both' if total == 2 else f'all {total}'} other ways are {WORDS[verdict]}"


def _detail(verdict: str, members: list[Row], margin: float) -> str:
    """What a verdict says of the rows that got it."""
    if verdict == EQUAL:
        return f"Equal: within {margin:.1%}."
    if verdict == UNDECIDED:
        return "Undecided: neither a difference nor equality is proven."
    return f"{WORDS[verdict].capitalize()}: {_factors(members)}."


def _factors(members: list[Row]) -> str:
    """From the least to the largest; `members` are sorted by their ratio."""
    ends = dict.fromkeys(f"{row['ratio']:.2f} ({row['label']})" for row in (members[0], members[-1]))
    return f"{' to '.join(ends)} times the baseline's time"


def _takes(row: Row) -> str:
    took = row["seconds_per_step"]  # a run that was killed may have finished every row but this one
    return f"{_name(row)} takes {seconds(took)} a step" if took else f"{_name(row)} was not finished"


def _name(row: Row) -> str:
    """One word, whatever a journal calls its backends; charts, tables and the details have all of it."""
    word = next(iter(row["label"].split()), "")[:NAME]
    return word if word == row["label"] else f"{word[: NAME - 1]}…"
