"""Comparisons as people and programs read them: terminal, Markdown, CSV and JSON."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pandas as pd
from rich.console import Console

from bench.analyse.comparison import Comparison
from bench.errors import UsageError
from bench.schema.case import SIDE
from bench.show import grid
from bench.show.grid import Column, Row, number
from bench.show.rows import DIMENSIONS, common, records
from bench.units import seconds, span

_MEASURES = [
    number("base", 2, seconds, "base_seconds_per_step"),
    number("head", 2, seconds, "head_seconds_per_step"),
    number("ratio", 0, "{:.3f}".format, "ratio"),
    number("95 % interval", 1, span, "ratio_low", "ratio_high"),
    number("p", 4, "{:.2g}".format, "p"),
    number("runs", 5, "{}+{}".format, "base_runs", "head_runs"),
    Column("verdict", lambda r: r["verdict"] or "–", 0, right=False),
]


def terminal(comparison: Comparison, to: Console) -> None:
    """Prints a row per case to fit the console, and below it the reasons, the mean and the doubts."""
    columns, rows = _prepared(comparison.table)
    to.print(common(comparison.table))
    grid.show(columns, rows, to)
    for line in _below(comparison):
        to.print(line)
    for doubt in comparison.doubts:
        to.print(doubt, style="bold red")


def markdown(comparison: Comparison) -> str:
    """For an issue, a pull request or GitHub's step summary."""
    columns, rows = _prepared(comparison.table)
    above = [part for doubt in comparison.doubts for part in (f"**{doubt}**", "")]
    below = [f"- {line}" for line in _below(comparison)]
    return "\n".join([*above, common(comparison.table), "", *grid.pipes(columns, rows), "", *below, ""])


def csv(base: str, comparisons: dict[str, Comparison]) -> str:
    """Full precision, seconds; a row per case and head."""
    named = [comparison.table.assign(base=base, head=head) for head, comparison in comparisons.items()]
    return str(pd.concat(named, ignore_index=True).to_csv(index=False)) if named else ""


def as_json(base: str, comparisons: dict[str, Comparison]) -> str:
    """An object per head with its rows and what limits them; null where there is no number."""
    whole = []
    for head, comparison in comparisons.items():
        fields = {name: value for name, value in vars(comparison).items() if name != "table"}
        mean = comparison.geometric_mean if math.isfinite(comparison.geometric_mean) else None
        rows = json.loads(comparison.table.to_json(orient="records", double_precision=15))
        whole.append({"base": base, "head": head, "rows": rows, "geometric_mean": mean, **fields})
    return json.dumps(whole, indent=2) + "\n"


def show(form: str, base: str, comparisons: dict[str, Comparison], to: Console) -> None:
    """Prints all comparisons with one base as `text`, `md`, `csv` or `json`."""
    if form in ("csv", "json"):
        print({"csv": csv, "json": as_json}[form](base, comparisons), end="")
        return
    for head, comparison in comparisons.items():
        if form == "md":
            print(f"**{head}** compared with **{base}**\n\n{markdown(comparison)}")
        else:
            to.print(f"base {base}, head {head}", style="bold")
            terminal(comparison, to)


def append(path: Path, base: str, comparisons: dict[str, Comparison]) -> None:
    """Adds the Markdown to a file such as GitHub's step summary. Raises `UsageError`."""
    try:
        with path.open("a", encoding="utf-8") as file:
            for head, comparison in comparisons.items():
                file.write(f"### {head} compared with {base}\n\n{markdown(comparison)}\n\n")
    except OSError as error:
        raise UsageError(f"--github-summary {path}: cannot be written: {error.strerror}; give $GITHUB_STEP_SUMMARY.") from None


def _prepared(table: pd.DataFrame) -> tuple[list[Column], list[Row]]:
    names = [name for name in (*DIMENSIONS, SIDE) if table[name].nunique() > 1]
    varying = [grid.plain(name, right=name == "threads") for name in names]
    return [grid.plain("backend"), *varying, *_MEASURES], records(table)


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
