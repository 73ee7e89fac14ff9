"""The time of each line of a step: what line_profiler saw, scaled to the step's undisturbed time."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bench.analyse.run import Run
from bench.analyse.step import step_seconds
from bench.errors import UsageError, unknown
from bench.record import frame
from bench.schema.case import is_control

ALONE = 0.9
"""One line with this share of the time is the step: what it calls is compiled, captured or fused."""


@dataclass(frozen=True)
class StepLines:
    """The lines of a way's `step()`."""

    way: str
    seconds: float
    """Of the step, as the tables show it."""
    table: pd.DataFrame
    """`line`, `code`, `seconds` (NaN where nothing was timed) and `phase`, the comment above."""
    added_up: float
    """The sum of the lines as measured over the step's time; what `seconds` was divided by."""
    queued: bool
    """Whether the lines are launches, which return before the device has computed: not scaled."""
    backward: dict[str, float]
    """Seconds of what autograd evaluates, scaled to the line that calls it."""

    @property
    def alone(self) -> bool:
        """Whether one line has nearly all of the time."""
        seconds = self.table["seconds"].dropna()
        return bool(seconds.max() > ALONE * seconds.sum())


def of_way(run: Run, way: str) -> StepLines:
    """The lines of a way, named as in the tables or by a case's key; of several cases the first.

    Raises `UsageError` for an unknown way and for one without times of lines.
    """
    cases = {case["key"]: case for case in run.story.header["cases"] if case["proven"]}
    names = {case["name"]: key for key, case in reversed(cases.items()) if not is_control(case["kind"])}
    key = way if way in cases else names.get(way)
    if key is None:
        raise unknown("way", way, sorted(names), str(run.folder))
    profile: Mapping[str, Any] = run.story.profiles.get(key) or {}
    row = run.row(key)
    lines = {int(line): seconds for line, seconds in profile.get("lines", {}).items()}
    seconds = step_seconds(row)
    if not sum(lines.values()) or math.isnan(seconds):
        reason = profile.get("uncounted") or profile.get("reason") or "the run has no profile of it."
        raise UsageError(f"{run.folder}: no times of the lines of {way}: {reason}")
    source = run.story.header["sources"][cases[key]["source_hash"]]
    table = _code(source.splitlines(), source, lines)
    visits = [visit for visit in run.story.visits if visit["case"] == key]
    queued = 2 * sum(map(frame.queues, visits)) >= len(visits)
    added_up = sum(lines.values()) / seconds
    table["seconds"] = table["line"].map(lines) / (1.0 if queued else added_up)
    backward = _scaled(profile.get("backward", {}), table)
    return StepLines(way, seconds, table, added_up, queued, backward)


def _scaled(backward: dict[str, float], table: pd.DataFrame) -> dict[str, float]:
    """What autograd evaluates as shares of the lines that call it."""
    calls = float(table.loc[table["code"].str.contains(r"backward\("), "seconds"].sum())
    total = sum(backward.values())
    return {name: seconds / total * calls for name, seconds in backward.items()} if total else {}


def _code(text: list[str], source: str, lines: dict[int, float]) -> pd.DataFrame:
    """The lines of the function that holds the timed ones, each with its phase."""
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    first = min(lines)
    whole = next(f for f in functions if f.name == "step" and f.lineno <= first <= (f.end_lineno or 0))
    start, phase, rows = whole.body[0].lineno, "", []
    while text[start - 2].strip().startswith("#"):  # the comment above the first statement
        start -= 1
    for number in range(start, (whole.end_lineno or start) + 1):
        code = text[number - 1]
        if code.strip().startswith("#"):
            phase = code.strip("# ")
        rows.append({"line": number, "code": code, "phase": phase})
    table = pd.DataFrame(rows)
    indent = min(len(code) - len(code.lstrip()) for code in table["code"] if code.strip())
    return table.assign(code=table["code"].str[indent:])


def lines(run: str | Path, way: str) -> pd.DataFrame:
    """The lines of a way's `step()` in the latest run at or below a path, with the columns `line`,
    `code`, `seconds`, scaled to the step's time, and `phase`. Raises `UsageError`."""
    return of_way(Run.of(frame.latest(run)), way).table
