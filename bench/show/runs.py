"""Several runs as people and programs read them: compared, the history of a machine, and exported."""

import json
import math
from collections.abc import Iterable, Mapping

import pandas as pd
from rich.console import Console

from bench.analyse import summaries
from bench.analyse.comparison import Comparison
from bench.analyse.history import Change, Series
from bench.analyse.verdicts import UNPROVEN
from bench.errors import UsageError
from bench.record.journal import Story
from bench.schema.case import SIDE, at, is_control
from bench.show import grid
from bench.show.grid import DIMENSIONS, Column, Row, column, common, records
from bench.units import percent, seconds, span

LEGEND = (
    "ratio, verdict: compared with the previous run, using earlier runs only; UNPROVEN: a guard moved or an A/A control "
    "differs; change: a change point"
)
_HISTORY = [
    *map(column, ("date", "way", "revision")), column("runs", 0, "{}".format), column("versions", 2),
    column("step", 0, seconds), column("ratio", 1, "{:.3f}".format), *map(column, ("verdict", "change")),
]  # fmt: skip
_COMPARED = [
    column("base", 2, seconds, "base_seconds_per_step"),
    column("head", 2, seconds, "head_seconds_per_step"),
    column("ratio", 0, "{:.3f}".format),
    column("95 % interval", 1, span, "ratio_low", "ratio_high"),
    column("p", 4, "{:.2g}".format),
    column("runs", 5, "{}+{}".format, "base_runs", "head_runs"),
    Column("verdict", lambda r: r["verdict"] or "–", right=False),
]


def show_comparisons(base: str, comparisons: Mapping[str, Comparison], to: Console) -> None:
    """Prints all comparisons with one base."""
    for head, comparison in comparisons.items():
        to.print(f"base {base}, head {head}", style="bold")
        to.print(common(comparison.table))
        grid.show(*_prepared(comparison.table), to)
        for line in _below(comparison):
            to.print(line)
        for doubt in comparison.doubts:
            to.print(doubt, style="bold red")


def markdown(base: str, comparisons: Mapping[str, Comparison]) -> str:
    """For an issue, a pull request or GitHub's step summary."""
    parts = []
    for head, comparison in comparisons.items():
        pipes = "\n".join(grid.pipes(*_prepared(comparison.table)))
        below = "\n".join(f"- {line}" for line in _below(comparison))
        doubts = [f"**{doubt}**" for doubt in comparison.doubts]
        parts += [f"### {head} compared with {base}", *doubts, common(comparison.table), pipes, f"{below}\n"]
    return "\n\n".join(parts)


def as_json(base: str, comparisons: Mapping[str, Comparison]) -> str:
    """An object per head with its rows and what limits them; null where there is no number."""
    whole = []
    for head, comparison in comparisons.items():
        fields = {name: value for name, value in vars(comparison).items() if name != "table"}
        mean = comparison.geometric_mean if math.isfinite(comparison.geometric_mean) else None
        rows = json.loads(comparison.table.to_json(orient="records", double_precision=15))
        whole.append({"base": base, "head": head, "rows": rows, "geometric_mean": mean, **fields})
    return json.dumps(whole, indent=2) + "\n"


def _prepared(table: pd.DataFrame) -> tuple[list[Column], list[Row]]:
    varying = [name for name in (*DIMENSIONS, SIDE) if table[name].nunique() > 1]
    return [*map(column, ("backend", *varying)), *_COMPARED], records(table)


def _below(comparison: Comparison) -> list[str]:
    lines = [
        f"ratio: undisturbed time of head over that of base. FASTER and SLOWER: at least {comparison.margin:.1%} apart, and "
        "wrong in 1 table of 100 at most."
    ]
    if (ratios := comparison.table["ratio"].notna().sum()) > 1:
        lines.insert(0, f"geometric mean of {ratios} ratios: {comparison.geometric_mean:.3f}")
    reasons: dict[str, list[str]] = {}
    for backend, text in zip(comparison.table["backend"], comparison.table["reason"], strict=True):
        for reason in filter(None, text.split("; ")):
            reasons.setdefault(reason, []).append(backend)
    for reason, names in reasons.items():
        every = len(names) == len(comparison.table)
        lines.append(f"{'all rows' if every else ', '.join(dict.fromkeys(names))}: {reason}")
    lines += [f"left out: {sentence}" for sentence in comparison.left_out]
    return [*lines, *(f"history lacks: {sentence}" for sentence in comparison.ignored)]


def show_history(series: list[Series], newest: int | None, to: Console) -> None:
    """Prints a table for each machine and place, and all change points below: a row for each series, or for so many of its
    newest runs."""
    parts: dict[str, list[Series]] = {}
    for one in series:
        heading = f"{one.rows['machine'].iloc[0]}, {one.rows['problem'].iloc[0]}\n{common(one.rows)}"
        parts.setdefault(heading, []).append(one)
    for heading, own in parts.items():
        dates = sorted(_date(one.rows.iloc[end]) for one in own for end in (0, -1))
        to.print(f"{heading} · {dates[0]} to {dates[-1]}", style="bold")
        rows: list[Row] = []
        for one in own:
            shown = min(newest or 1, len(one.rows))
            rows += [_row(one, place, newest is None) for place in range(len(one.rows) - shown, len(one.rows))]
            if newest and shown < len(one.rows):
                to.print(f"{len(one.rows) - shown} earlier runs of {name(one)} are not shown; see --runs", style="dim")
        grid.show(_HISTORY, rows, to)
        for one in own:
            for change in one.changes:
                to.print(since(one, change))
    to.print(LEGEND, style="dim")


def since(series: Series, change: Change) -> str:
    """`torch_autograd: SLOWER since 2026-11-03 10:00, +5.0 % (+4.8 % to +5.2 %): torch 2.13.0 → 2.14.1`."""
    low, high = (percent(math.expm1(end)) for end in change.estimate.interval())
    what = ", ".join(change.what) or "no recorded setting differs"
    when, by = _date(series.rows.iloc[change.place]), percent(math.expm1(change.estimate.mean))
    return f"{name(series)}: {change.verdict} since {when}, {by} ({low} to {high}): {what}"


def name(series: Series) -> str:
    """A way, with its side where its runs have sides."""
    return at(*series.rows[["backend", SIDE]].iloc[0])


def _date(row: pd.Series) -> str:
    """When a run began, to the minute; without that, its name."""
    return str(row["time"])[:16].replace("T", " ") or str(row["run"]).rpartition("/")[2]


def _row(series: Series, place: int, alone: bool) -> Row:
    """One run of a series, `alone` if it stands for all of them."""
    row, found = series.rows.iloc[place], series.beside(place) if place else None
    changes = [f"◀ {percent(math.expm1(change.estimate.mean))}" for change in series.changes if change.place == place]
    return {
        "date": None if alone else _date(row),
        "way": name(series),
        "revision": None if alone else row["commit"][:8] + "+" * row["commit"].endswith("+dirty"),
        "runs": len(series.rows) if alone else None,
        "versions": row["versions"].replace("==", " "),
        "step": math.exp(row["log"]),
        "ratio": found and found.table["ratio"].iloc[0],
        "verdict": found and (UNPROVEN if found.doubts else found.table["verdict"].iloc[0]),
        "change": "".join(changes),
    }


def otava(stories: Iterable[Story], controls: bool) -> tuple[str, list[str]]:
    """Runs for Apache Otava: CSV, a row per run in time order and a column of seconds per step for each case, undisturbed
    where it has them; and a note for whatever is left out. Otava takes no empty cell, so only cases that have a number in
    every run are in it. Raises `UsageError`.
    """
    tables, notes = [], []
    for story in stories:
        table, machine = summaries.summarise(story), story.header["machine"]
        notes += [f"{story.header['run']}: {doubt}" for doubt in summaries.doubts(story, table)]
        tables.append(table.assign(case=table.index, time=machine["time"], commit=machine["commit"] or ""))
    rows = pd.concat(tables, ignore_index=True)
    if not controls:
        rows = rows[~rows["kind"].map(is_control)]
    ok = rows["status"] == "ok"
    notes += [f"{row.run}: {row.case} is left out: {row.status}: {row.reason}" for row in rows[~ok].itertuples()]
    rows = rows[ok]
    if len(machines := rows["machine"].unique()) > 1:
        raise UsageError(f"export: otava takes one machine, not {' and '.join(machines)}; name one of them.")
    everywhere = rows.groupby("case")["run"].transform("size") == rows["run"].nunique()
    if not everywhere.any():
        raise UsageError("export: no case has a number in every run, and otava needs one; name whole runs of the same ways.")
    notes += [f"{case} is left out: not every run has a number" for case in rows.loc[~everywhere, "case"].unique()]
    seconds = rows["undisturbed_seconds_per_step"].fillna(rows["seconds_per_step"])
    series = rows[everywhere].assign(seconds=seconds).pivot(index=["time", "run", "commit"], columns="case", values="seconds")
    return str(series.sort_index().reset_index().to_csv(index=False)), notes
