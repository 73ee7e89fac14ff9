"""The code of a step with the time of each line: what line_profiler saw, scaled to the step's undisturbed time.

Sources come from journals: they are parsed, never run.
"""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple

import pandas as pd
from rich.console import Console

from backends.api import TrainStep
from bench.analyse.summaries import Run
from bench.errors import UsageError, unknown
from bench.record.frame import queues
from bench.schema.case import at, is_control
from bench.show.grid import bar, time_column
from bench.units import seconds

STEP = "step"
AROUND = {*dir(TrainStep)} - {STEP}
"""Methods that every backend has; of its constructor, assignments are shown that use the source's functions or classes."""
BEFORE, AFTER = "before", "after"
PHASES = (BEFORE, "forward", "loss", "backward", "update", AFTER)
"""In this order, so that equal phases of two steps stand side by side."""
_PHASE = re.compile(rf"\s*# ({'|'.join(PHASES[1:-1])})\b")
ALONE = 0.9
"""One line with this share of the time is the step: what it calls is compiled, captured or fused."""
CELLS = 6
SIDE_BY_SIDE = 120
"""Characters of a console from which two ways stand side by side, else one below the other."""
OPERATORS = 3
"""Of a backward pass, so many are named."""


class CodeLine(NamedTuple):
    line: int
    """In its source, from 1."""
    code: str
    phase: str
    """Of `PHASES`: as the comment above says, `before` above the first such comment, `after` in functions below the phases."""


@dataclass(frozen=True)
class StepLines:
    """The lines of a way's step, with their times."""

    way: str
    seconds: float
    """Of the step, as the tables show it."""
    table: pd.DataFrame
    """`line`, `code`, `phase` and `seconds`, NaN where nothing was timed."""
    added_up: float
    """The sum of the lines as measured over the step's time; what `seconds` was divided by."""
    queued: bool
    """Whether the lines are launches, which return before the device has computed: not scaled."""
    backward: dict[str, float]
    """Seconds of what autograd evaluates, scaled to the line that calls it."""


def lines(run: str | Path, way: str) -> pd.DataFrame:
    """The lines of a way's step, and of what it calls in its file, in the latest run at or below a path: `line`, `code`,
    `phase` and `seconds`, scaled to the step's time. Raises `UsageError`."""
    return of_way(Run.read(run), way).table


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
    timed = {int(line): took for line, took in profile.get("lines", {}).items()}
    row, case = run.row(key), cases[key]
    whole = row[time_column(row)]
    if not sum(timed.values()) or whole is None:
        reason = profile.get("uncounted") or profile.get("reason") or "the run has no profile of it."
        raise UsageError(f"{run.folder}: no times of the lines of {way}: {reason}")
    visits = [visit for visit in run.story.visits if visit["case"] == key]
    queued, added_up = 2 * sum(map(queues, visits)) >= len(visits), sum(timed.values()) / whole
    table = pd.DataFrame(code(run.story.header["sources"][case["source_hash"]]))
    table["seconds"] = table["line"].map(timed) / (1.0 if queued else added_up)
    calls = float(table.loc[table["code"].str.contains(r"backward\("), "seconds"].sum())
    evaluated: dict[str, float] = profile.get("backward", {})
    backward = {name: took / sum(evaluated.values()) * calls for name, took in evaluated.items()}
    return StepLines(at(case["name"], case["side"]), whole, table, added_up, queued, backward)


def code(source: str) -> list[CodeLine]:
    """The lines of `step` and of what it can call in its source; each part loses the indentation that its lines share."""
    texts, found, phase = source.splitlines(), list[CodeLine](), BEFORE
    for first, last in _parts(source):
        phase = BEFORE if phase == BEFORE else AFTER
        filled = [text for text in texts[first - 1 : last] if text.strip()]
        shared = min((len(text) - len(text.lstrip()) for text in filled), default=0)
        for number in range(first, last + 1):
            if match := _PHASE.match(texts[number - 1]):
                phase = match[1]
            found.append(CodeLine(number, texts[number - 1][shared:], phase))
    return found


def _parts(source: str) -> list[tuple[int, int]]:
    """The first and the last lines of `step` and of what it can call in its source, from 1.

    A class that inherits its `step` is shown as a whole, and so is a source that is not Python.
    """
    whole = [(1, len(source.splitlines()))]
    try:
        body = ast.parse("\n".join(source.splitlines())).body
    except (SyntaxError, ValueError, RecursionError):
        return whole
    known = [node for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    parts: list[ast.stmt] = []
    for node in known:
        own = {part.name: part for part in node.body if isinstance(part, ast.FunctionDef)}
        if isinstance(node, ast.ClassDef) and STEP in own:
            others = {other.name for other in known if other is not node}
            made = [part for part in own["__init__"].body if isinstance(part, ast.Assign)] if "__init__" in own else []
            parts += [part for part in made if any(getattr(name, "id", None) in others for name in ast.walk(part))]
            parts += [part for name, part in own.items() if name not in AROUND]
        else:
            parts.append(node)
    decorated = ([part, *getattr(part, "decorator_list", [])] for part in parts)
    lines = [(min(one.lineno for one in each), each[0].end_lineno or each[0].lineno) for each in decorated]
    return sorted(lines) or whole


def show(steps: list[StepLines], to: Console) -> None:
    """Prints one way's lines, or two ways': side by side, equal phases in line, where the console has room."""
    heads = [f"{step.way}: {seconds(step.seconds)} a step. {remark(step)}" for step in steps]
    most = max(float(step.table["seconds"].max()) for step in steps)
    phases = [[_texts(step, phase, most) for phase in PHASES] for step in steps]
    if len(steps) == 1 or to.width < SIDE_BY_SIDE:
        for head, texts in zip(heads, phases, strict=True):
            to.print(head, style="bold")
            for line in chain(*texts):
                to.print(line if len(steps) == 1 else _cut(line, to.width))
        return
    to.print("\n".join(heads), style="bold")
    half = (to.width - 3) // 2
    for left, right in chain(*(zip_longest(*pair, fillvalue="") for pair in zip(*phases, strict=True))):
        to.print(f"{_cut(left, half):{half}} │ {_cut(right, half)}".rstrip())


def remark(step: StepLines) -> str:
    """What the lines of a way add up to, and what they are."""
    if step.queued:
        return "Its lines are launches, which return before the device has computed: they take what the host does."
    text = f"Its lines add up to {step.added_up:.0%} of it under line_profiler and are scaled to it."
    alone = step.table["seconds"].max() > ALONE * step.table["seconds"].sum()
    return f"{text} One line is the step: what it calls is compiled, captured or fused." if alone else text


def _texts(step: StepLines, phase: str, most: float) -> list[str]:
    """A phase's lines without the indentation that they share, each after its time and a bar."""
    lines, texts = step.table[step.table["phase"] == phase], list[str]()
    for took, text in zip(lines["seconds"], dedent("\n".join(lines["code"])).split("\n"), strict=False):
        texts.append(f"{seconds(took):>7} {bar(took / most, CELLS):{CELLS}} {text}")
        if "backward(" in text:
            named = list(step.backward.items())[:OPERATORS]
            texts += [f"{'':{9 + CELLS}}  {name} {seconds(each)}" for name, each in named]
    return texts


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else f"{line[: width - 1]}…"
