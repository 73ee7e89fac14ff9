"""The code of a step: highlighted lines, in blocks that begin at the phase comments.

Sources come from journals: they are parsed and highlighted, never run.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from typing import NamedTuple

from markupsafe import Markup
from pygments.lexers import PythonLexer
from pygments.token import STANDARD_TYPES

from backends.api import TrainStep

STEP = "step"
AROUND = {*dir(TrainStep)} - {STEP}
"""Methods that every backend has: shown only where they prepare what `step` calls."""
BEFORE, AFTER = "before", "after"
PHASES = (BEFORE, "forward", "loss", "backward", "update", AFTER)
"""In the order of the page's rows, so that equal phases of two steps stand side by side."""
_PHASE = re.compile(rf"\s*# ({'|'.join(PHASES[1:-1])})\b")


class Line(NamedTuple):
    number: int
    """In its source, from 1."""
    html: Markup


def blocks(source: str) -> dict[str, list[Line]]:
    """The lines of `step` and of what it calls in its file, by phase.

    Adjacent lines lose the indentation that they share. Lines above the first phase comment are
    `before`; further functions below the phases are `after`.
    """
    texts, words = source.splitlines(), _words(source)
    found: dict[str, list[Line]] = {}
    groups = itertools.groupby(enumerate(step_lines(source)), lambda pair: pair[1] - pair[0])
    for chunk in ([number for _, number in group] for _, group in groups):
        phase = AFTER if found.keys() - {BEFORE} else BEFORE
        filled = [texts[number] for number in chunk if texts[number].strip()]
        shared = min((len(text) - len(text.lstrip()) for text in filled), default=0)
        for number in chunk:
            if match := _PHASE.match(texts[number]):
                phase = match[1]
            html = Markup("").join(_html(words[number], shared))
            found.setdefault(phase, []).append(Line(number + 1, html))
    return {phase: found[phase] for phase in PHASES if phase in found}


def step_lines(source: str) -> list[int]:
    """The numbers, from 0, of the lines of `step` and of what it can call in its source.

    A class that inherits its `step` is shown as a whole, and so is a source that is not Python.
    """
    everything = list(range(len(source.splitlines())))
    try:
        body = ast.parse("\n".join(source.splitlines())).body
    except (SyntaxError, ValueError, RecursionError):
        return everything
    known = [node for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    parts: list[ast.stmt] = []
    for node in known:
        own = [part for part in node.body if isinstance(part, ast.FunctionDef)]
        if isinstance(node, ast.ClassDef) and any(part.name == STEP for part in own):
            parts += _prepares(own, {other.name for other in known if other is not node})
            parts += [part for part in own if part.name not in AROUND]
        else:
            parts.append(node)
    shown: set[int] = set()
    for part in parts:
        first = min([part.lineno, *(one.lineno for one in getattr(part, "decorator_list", []))])
        shown |= {*range(first - 1, part.end_lineno or first)}
    return sorted(shown) or everything


def _prepares(methods: list[ast.FunctionDef], names: set[str]) -> Iterator[ast.stmt]:
    """Assignments of the constructor that use one of the source's own functions or classes."""
    for part in (part for method in methods if method.name == "__init__" for part in method.body):
        used = {node.id for node in ast.walk(part) if isinstance(node, ast.Name)}
        if isinstance(part, ast.Assign) and used & names:
            yield part


def _words(source: str) -> list[list[tuple[str, str]]]:
    """Of every line: Pygments' short names of tokens' types, with the tokens' texts."""
    lines: list[list[tuple[str, str]]] = [[]]
    for kind, text in PythonLexer(stripnl=False).get_tokens("\n".join(source.splitlines())):
        for number, part in enumerate(text.split("\n")):
            lines += [[]] if number else []
            lines[-1].append((STANDARD_TYPES.get(kind, ""), part))
    return lines


def _html(line: list[tuple[str, str]], cut: int) -> Iterator[Markup]:
    """A line without its first `cut` characters, which are spaces."""
    for kind, text in line:
        kept, cut = text[cut:], max(0, cut - len(text))
        yield Markup('<span class="{}">{}</span>').format(kind, kept) if kept else Markup("")
