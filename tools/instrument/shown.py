"""The figures of `instrument.csv` for people: Markdown for the page on comparing, and a picture. Nothing is computed here."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

START, END = "<!-- instrument -->\n", "<!-- end of instrument -->"
NOT_YET = "No campaign under weather has been judged yet.\n"
MULTIPLIED = "recorded times multiplied"
FOUND = "slowdown found"


def told(table: pd.DataFrame) -> str:
    """The campaign in Markdown, for the page between its markers. A table from before there was weather has nothing to show."""
    if "weather" not in table:
        return NOT_YET
    between = table[table["pairs"].isin(["disjoint", "calm and disturbed"])]
    within = table[table["pairs"] == "within a run"]
    both = table[table["pairs"] == "against itself"]
    return "\n".join([*_between(between), "", *_within(within), "", *(_against(both) if len(both) else [])])


def _against(table: pd.DataFrame) -> list[str]:
    questions = {
        "run UNPROVEN": "UNPROVEN",
        "false alarm in a comparison": "false alarms",
        "row EQUAL": "rows EQUAL",
        "row UNDECIDED": "rows UNDECIDED",
        "95 % interval holds the truth": "intervals that hold 1",
    }
    heads = ["weather, `--against HEAD`", "a run", "runs", *questions.values()]
    lines = [f"| {' | '.join(heads)} |", f"|---|{'---:|' * (len(heads) - 1)}"]
    for weather, rows in table.groupby("weather", sort=False):
        first = rows.iloc[0]
        cells = [str(weather), f"{first['seconds_per_run']:.0f} s", f"{first['runs']:.0f}"]
        cells += [_of(_row(rows, question)) for question in questions]
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def _between(table: pd.DataFrame) -> list[str]:
    sizes = sorted(table.loc[table["question"] == FOUND, "slowdown"].unique())
    exact = sorted(table.loc[table["question"] == f"{FOUND}, {MULTIPLIED}", "slowdown"].unique())
    heads = ["tool", "weather", "learnt from", "pairs", "UNPROVEN", "false alarms"]
    heads += [f"{_injected(table, size)} slower" for size in sizes] + [f"×{1 + size:.2f}" for size in exact]
    heads += [f"×{1 + size:.2f} called EQUAL" for size in exact[:1]]
    lines = [f"| {' | '.join(heads)} |", f"|---|---|---|{'---:|' * (len(heads) - 3)}"]
    for (tool, weather, learned, pairs), rows in _complete(table).groupby(
        ["tool", "weather", "learned", "pairs"], sort=False
    ):
        alarms = _row(rows, "false alarm in a comparison")
        unproven = _row(rows, "comparison UNPROVEN")
        multiplied = [_pooled(rows, f"{FOUND}, {MULTIPLIED}", size) for size in exact]
        equal = [_pooled(rows, f"EQUAL called, {MULTIPLIED}", size) for size in exact[:1]]
        cells = [
            str(tool).replace("_", "-"),
            f"calm, then {weather}" if pairs == "calm and disturbed" else str(weather),
            str(learned),
            f"{(unproven or alarms or {'of': 0})['of']:.0f}",
            _of(unproven),
            _of(alarms),
            *(_of(_row(rows, FOUND, size)) for size in sizes),
            *multiplied,
            *equal,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _within(table: pd.DataFrame) -> list[str]:
    sizes = sorted(table.loc[table["question"] == FOUND, "slowdown"].unique())
    questions = {
        "run UNPROVEN": "UNPROVEN",
        "A/A control called different": "A/A alarms",
        "honest step without a number": "refused",
        "table with a ratio far off its long-run mean": "tables far off",
        "95 % interval holds the mean of the other runs": "intervals that hold",
    }
    heads = [
        "weather, side by side",
        "a run",
        "runs",
        *questions.values(),
        *(f"{_injected(table, size)} slower" for size in sizes),
    ]
    lines = [f"| {' | '.join(heads)} |", f"|---|{'---:|' * (len(heads) - 1)}"]
    for weather, rows in table.groupby("weather", sort=False):
        all_steps = rows[rows["backend"].isna()]
        first = rows.iloc[0]
        cells = [str(weather), f"{first['seconds_per_run']:.0f} s", f"{first['runs']:.0f}"]
        cells += [_of(_row(all_steps, question)) for question in questions]
        cells += [_of(_row(rows, FOUND, size)) for size in sizes]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _complete(table: pd.DataFrame) -> pd.DataFrame:
    """With a text in `learned` everywhere, for grouping: other tools learn nothing."""
    return table.assign(learned=table["learned"].astype(object).where(table["learned"].notna(), ""))


def _row(rows: pd.DataFrame, question: str, size: float | None = None) -> dict[Hashable, Any] | None:
    asked = (rows["question"] == question) & (True if size is None else rows["slowdown"] == size)
    found = rows[asked].to_dict("records")
    return found[0] if found else None


def _of(row: dict[Hashable, Any] | None) -> str:
    return f"{row['count']:.0f} of {row['of']:.0f}" if row and row["of"] else ""


def _pooled(rows: pd.DataFrame, question: str, size: float) -> str:
    """Over all steps."""
    return _of(rows.loc[(rows["question"] == question) & (rows["slowdown"] == size), ["count", "of"]].sum().to_dict())


def _injected(table: pd.DataFrame, size: float) -> str:
    """By how much the step was slower that was to be slower by `size`, the mean over the table; that size, if nobody knows."""
    share = table.loc[(table["question"] == FOUND) & (table["slowdown"] == size), "injected"].mean()
    return f"{size if pd.isna(share) else share:.1%}"


def put(text: str, page: Path) -> None:
    """Puts the tables where the page has its place for them."""
    before, start, rest = page.read_text().partition(START)
    _, end, after = rest.partition(END)
    page.write_text(before + start + text + end + after)


def draw(table: pd.DataFrame, target: Path) -> None:
    """How often each tool finds an injected slowdown: ours by weather on the left, the tools beside each other on the right."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(11, 4.4), layout="constrained", sharey=True)
    shown = table[table["pairs"].isin(["disjoint", "within a run"]) & table["backend"].isna()]
    ours = shown[(shown["tool"] == "stepbench") & (shown["learned"] != "nothing")]
    _lines(axes[0], ours, ["weather", "learned"])
    _lines(axes[1], shown[(shown["tool"] != "stepbench")], ["tool", "weather"])
    axes[0].set(ylabel="comparisons that call it slower [%]")
    axes[0].set(title="stepbench, by weather and what it learnt from (comparisons)")
    axes[1].set(title="side by side in one run, and other tools (comparisons)")
    figure.savefig(target, metadata={"Date": None})
    pyplot.close(figure)


def _lines(axes: Any, table: pd.DataFrame, names: Sequence[str]) -> None:
    """A line a group, with the number of its comparisons; at 0 stands how often identical code is called different."""
    for number, (group, rows) in enumerate(_complete(table).groupby(list(names), sort=False)):
        alarms = rows[rows["question"].isin(["false alarm in a comparison", "A/A control called different"])]
        points = rows[rows["question"] == FOUND].dropna(subset=["share"])
        if alarms.empty or points.empty:
            continue
        label = f"{', '.join(map(str, group)).replace('_', '-')} ({points['of'].max():.0f})"
        x, y = [0, *points["injected"] * 100], [alarms["share"].iloc[0] * 100, *points["share"] * 100]
        axes.plot(x, y, marker="osD^vP*X"[number % 8], label=label)
    axes.axhline(95, color="grey", linewidth=0.8, linestyle=":")
    axes.axhline(1, color="grey", linewidth=0.8, linestyle=":")
    axes.set(xlabel="injected slowdown of one step [%]; at 0 identical code", ylim=(-3, 103))
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=8)
