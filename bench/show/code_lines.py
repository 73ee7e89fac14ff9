"""The code of a step with a time and a bar at each line; two ways stand side by side, phase by phase."""

from __future__ import annotations

import math
from itertools import zip_longest

from rich.console import Console

from bench.analyse.lines import StepLines
from bench.show.bars import bar
from bench.units import seconds

CELLS = 6
SIDE_BY_SIDE = 120
"""Characters of a console from which two ways stand side by side; else the phases of both alternate."""
OPERATORS = 3
"""Of a backward pass, so many are named."""
Phase = tuple[str, list[str]]


def show(steps: list[StepLines], to: Console) -> None:
    """Prints one way's lines, or two ways'."""
    for step in steps:
        to.print(heading(step), style="bold")
    most = max(float(step.table["seconds"].max()) for step in steps)
    sides = [_phases(step, most) for step in steps]
    if len(sides) == 1:
        for _, lines in sides[0]:
            for line in lines:
                to.print(line)
        return
    half = (to.width - 3) // 2
    for left, right in _aligned(*sides):
        if to.width >= SIDE_BY_SIDE:
            for one, other in zip_longest(left, right, fillvalue=""):
                to.print(f"{_cut(one, half):{half}} │ {_cut(other, half)}".rstrip())
            continue
        for step, lines in zip(steps, (left, right), strict=True):
            to.print(step.way, style="dim")
            for line in lines:
                to.print(_cut(line, to.width))


def heading(step: StepLines) -> str:
    """What the lines of a way add up to, and what they are."""
    text = f"{step.way}: {seconds(step.seconds)} a step"
    if step.queued:
        return f"{text}; its lines are launches, which return before the device has computed: they take what the host does."
    text += f"; its lines add up to {step.added_up:.0%} of it under line_profiler and are scaled to it."
    return f"{text} One line is the step: what it calls is compiled, captured or fused." if step.alone else text


def _phases(step: StepLines, most: float) -> list[Phase]:
    """A way's lines as text, by the comment above them."""
    found: list[Phase] = []
    phase = None
    for line in step.table.to_dict("records"):
        if line["phase"] != phase:
            phase = line["phase"]
            found.append((phase.split(",")[0].split(" ")[0], []))
        took = line["seconds"]
        share = bar(took / most, CELLS) if most > 0 else ""
        found[-1][1].append(f"{seconds(took) if math.isfinite(took) else '':>7} {share:{CELLS}} {line['code']}")
        if "backward(" in line["code"] and step.backward:
            named = list(step.backward.items())[:OPERATORS]
            found[-1][1].extend(f"{'':{9 + CELLS}}  {name} {seconds(each)}" for name, each in named)
    return found


def _aligned(left: list[Phase], right: list[Phase]) -> list[tuple[list[str], list[str]]]:
    """Phases of the same name together, in the order of the left way; those of the right way alone where they stand there."""
    names = [name for name, _ in left]
    pairs: list[tuple[list[str], list[str]]] = []
    rest = list(right)
    for name, lines in left:
        if name in (others := [other for other, _ in rest]):
            place = others.index(name)
            pairs += [([], alone) for other, alone in rest[:place] if other not in names]
            pairs.append((lines, rest[place][1]))
            rest = [each for each in rest[:place] if each[0] in names] + rest[place + 1 :]
        else:
            pairs.append((lines, []))
    return [*pairs, *(([], lines) for _, lines in rest)]


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else f"{line[: width - 1]}…"
