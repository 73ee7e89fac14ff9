"""What was found, in a sentence that says no more than the verdicts do.

Rows are those of `bench.show.grid.summary_rows`, or of a comparison: None where there is no number.
"""

import os
from collections import Counter
from collections.abc import Sequence

import pandas as pd
from rich.console import Console

from bench.analyse.verdicts import EQUAL, FASTER, SLOWER, UNDECIDED, UNPROVEN, slower_by
from bench.show.grid import MEAN, Row, is_baseline
from bench.units import percent, seconds

AS_IT_RAN = "as it ran"
CANNOT = "Unproven: the A/A control differs from its baseline, so no difference counts."
MANY = 5
"""Of more names, these are listed and the others counted."""


def is_unproven(doubts: Sequence[str]) -> bool:
    return any(doubt.startswith(UNPROVEN) for doubt in doubts)


def answer(rows: Sequence[Row], unproven: bool) -> str:
    """Which way is the fastest, and what the other one of `opened` costs compared with the baseline."""
    timed = [row for row in rows if row["time"]]
    if not timed:
        return "No way of writing the step got a time here."
    if len(timed) == 1:
        return f"{timed[0]['backend']} takes {seconds(timed[0]['time'])} a step."
    if unproven:
        return CANNOT
    leaders = fastest(timed)
    names, ways = [row["backend"] for row in leaders], f"of {len(timed)} ways"
    if len(leaders) == len(timed):
        found = f"None {ways} is proven faster than all others"
    else:
        are, apart = ("are", ", not told apart") if names[1:] else ("is", "")
        found = f"{_listed(names)} {are} the fastest {ways}{apart}"
    base, *others = opened(timed)
    return f"{found}{_cost(others[0], base, leaders) if others and is_baseline(base) else ''}."


def fastest(timed: Sequence[Row]) -> list[Row]:
    """The way of the least ratio, and all that are not proven slower than it."""
    if not all(row["ratio"] for row in timed) or len({row["baseline"] for row in timed}) > 1:
        return [*timed]
    best = min(timed, key=lambda row: row["ratio"])
    return [row for row in timed if row is best or not _apart(row, best)]


def sweep(rows: Sequence[Row], unproven: bool) -> str:
    """Which way is the fastest at how many shapes."""
    if unproven:
        return CANNOT
    shapes = dict.fromkeys(row["shape"] for row in rows if row["time"])
    leaders = [fastest([row for row in rows if row["shape"] == shape and row["time"]]) for shape in shapes]
    wins = Counter(best["backend"] if not others else "no way" for best, *others in leaders)
    listed = [f"{name} at {count}" for name, count in wins.most_common()]
    return f"Proven the fastest: {', '.join(listed)} of {len(shapes)} shapes."


def opened(rows: Sequence[Row]) -> list[Row]:
    """The two ways that are shown together, of rows in order: the baseline, else the first; and of the others the first by name
    of the kind `seed`, else the slowest. Fewer if there are fewer."""
    base = ([row for row in rows if is_baseline(row)] or [*rows])[:1]
    others = [row for row in rows if not is_baseline(row) and row not in base]
    seeds = sorted((row for row in others if row["kind"] == "seed"), key=lambda row: str(row["backend"]))
    return [*base, *(seeds[:1] or others[-1:])]


def _apart(row: Row, best: Row) -> bool:
    """Whether a row is proven slower than the best: by a verdict, or by their intervals."""
    if is_baseline(best) or is_baseline(row):
        return bool(row["verdict"] == SLOWER or (is_baseline(row) and best["verdict"] == FASTER))
    low, high = row["ratio_low"], best["ratio_high"]
    return bool(low and high and low > high)


def _cost(other: Row, base: Row, leaders: list[Row]) -> str:
    """What a way takes more or less than the baseline, by the figure that its ratio is of."""
    column, ran = (MEAN, f" {AS_IT_RAN}") if other["of_means"] else ("time", "")
    if not other[column] or not base[column]:
        return ""
    name = "it" if [row["key"] for row in leaders] == [other["key"]] else other["backend"]
    than = "" if leaders == [base] else f" than {base['backend']}"
    by = seconds(abs(other[column] - base[column]))
    return {
        SLOWER: f"; {name} costs {by} more a step{than}{ran}",
        FASTER: f"; {name} takes {by} less a step{than}{ran}",
        EQUAL: f"; {name} equals {base['backend']} within {other['margin']:.1%}{ran}",
    }.get(other["verdict"], "")


def changes(rows: Sequence[Row], base: str, unproven: bool) -> str:
    """How many ways are slower or faster than `base`, which is a side or another run."""
    judged = [row for row in rows if row["ratio"]]
    if unproven or not judged:
        return CANNOT if unproven else f"No way has a time both here and in {base}."
    parts: list[str] = []
    for verdict in (SLOWER, FASTER):
        if members := [f"{row['backend']} {percent(row['ratio'] - 1)}" for row in judged if row["verdict"] == verdict]:
            are = f"{'is' if len(members) == 1 else 'are'} {verdict.lower()}"
            head = f"{len(members)} {are}" if parts else f"{len(members)} of {len(judged)} ways {are} than {base}"
            parts.append(f"{head}: {_listed(members)}")
    parts = parts or [f"None of {len(judged)} ways is proven slower or faster than {base}"]
    counts = {verdict: sum(row["verdict"] == verdict for row in judged) for verdict in (EQUAL, UNDECIDED)}
    others = ", ".join(f"{count} {verdict.lower()}" for verdict, count in counts.items() if count)
    return f"{'; '.join(filter(None, [*parts, others]))}."


def _listed(names: Sequence[str]) -> str:
    shown = [*names[:MANY], *[f"{len(names) - MANY} more"] * (len(names) > MANY)]
    return " and ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))


def over_time(changed: Sequence[str], runs: int) -> str:
    """Which ways have change points."""
    return f"{_listed(changed) or 'No way'} {'have' if len(changed) > 1 else 'has'} changed over {runs} runs."


def machines(rows: Sequence[Row], base: str, head: str) -> str:
    """How the times of two machines differ, without a verdict."""
    ratios = sorted(row["ratio"] for row in rows if row["ratio"])
    if not ratios:
        return f"No way has a time both on {base} and on {head}."
    ends = " to ".join(dict.fromkeys(f"{ratio:.2f}" for ratio in (ratios[0], ratios[-1])))
    return f"On {head} a step takes {ends} times as long as on {base}; times of different machines are shown, not judged."


def changed(name: str, ratio: float, low: float, high: float) -> str:
    """`torch_autograd +3.2 % (2.6–3.8 %)`."""
    return f"{name} {percent(ratio - 1)} ({100 * (low - 1):.1f}–{100 * (high - 1):.1f} %)"


def show_gate(least: float | None, rows: pd.DataFrame, to: Console, doubts: Sequence[str] = (), name: str = "backend") -> None:
    """Prints which rows `--fail-on` stops, since they are SLOWER by `least`, or the doubt that leaves it unproven; on GitHub as
    an annotation too.

    `rows` have the columns `name`, `verdict`, `ratio`, `ratio_low` and `ratio_high`. Rows that are UNDECIDED and may be slower
    by `least` pass, and are named.
    """
    if least is None:
        return
    gate = f"--fail-on slower{f':{100 * least:g}%' if least else ''}"
    open_ = rows[(rows["verdict"] == UNDECIDED) & (rows["ratio_high"] >= 1 + least)]
    stopped, passed = (
        ", ".join(map(changed, *(some[column] for column in (name, "ratio", "ratio_low", "ratio_high"))))
        for some in (slower_by(rows, least), open_)
    )
    if doubts or stopped:
        line = f"{gate} proves nothing: {' '.join(doubts)}" if doubts else f"FAILED {gate}: {stopped}"
        if os.environ.get("GITHUB_ACTIONS"):
            to.print(f"::error::{line}")
        to.print(line, style="bold red")
    elif passed:
        to.print(f"UNDECIDED, so not stopped by {gate}: {passed}; measure more (--processes)", style="yellow")
