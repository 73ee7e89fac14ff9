"""Comparisons as people and programs read them: terminal, Markdown and JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from rich.console import Console

from bench.analyse.comparison import Comparison
from bench.errors import UsageError
from bench.schema.case import SIDE
from bench.show import grid
from bench.show.grid import DIMENSIONS, Column, Row, column, common, records
from bench.units import seconds, span

_MEASURES = [
    column("base", 2, seconds, "base_seconds_per_step"),
    column("head", 2, seconds, "head_seconds_per_step"),
    column("ratio", 0, "{:.3f}".format),
    column("95 % interval", 1, span, "ratio_low", "ratio_high"),
    column("p", 4, "{:.2g}".format),
    column("runs", 5, "{}+{}".format, "base_runs", "head_runs"),
    Column("verdict", lambda r: r["verdict"] or "–", right=False),
]


def show(base: str, comparisons: Mapping[str, Comparison], to: Console) -> None:
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


def append(path: Path, text: str) -> None:
    """Adds Markdown to a file such as GitHub's step summary. Raises `UsageError`."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"--github-summary {path}: cannot be written: {error.strerror}; give $GITHUB_STEP_SUMMARY.") from None


def _prepared(table: pd.DataFrame) -> tuple[list[Column], list[Row]]:
    varying = [name for name in (*DIMENSIONS, SIDE) if table[name].nunique() > 1]
    return [*map(column, ("backend", *varying)), *_MEASURES], records(table)


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
