"""A backend's source as the page shows it: words with their kind, the lines of its step, and what two steps differ in.

Sources are parsed and never run: they come out of a journal, and may be anybody's.
"""

from __future__ import annotations

import ast
import difflib
import itertools
from collections.abc import Iterable, Iterator

from pygments.lexers import PythonLexer
from pygments.token import STANDARD_TYPES

Words = list[list[str]]
"""Of a line: pairs of a kind, which is Pygments' short name of a token's type, and a text."""
Span = tuple[int, int, int, int]
STEP = "step"


def words(source: str) -> list[Words]:
    """The words of every line."""
    plain = source.splitlines()
    lines: list[Words] = [[]]
    for kind, text in PythonLexer(stripnl=False).get_tokens("\n".join(plain)):
        for number, part in enumerate(text.split("\n")):
            if number:
                lines.append([])
            if part:
                lines[-1].append([STANDARD_TYPES.get(kind, ""), part])
    return lines[: len(plain)]  # the lexer ends with a newline of its own


def step_lines(source: str) -> list[int]:
    """The numbers, from 0, of the lines of `step` and of whatever else in the file it calls, in the file's order.

    A class without a `step` of its own stands there as a whole, before the step that it inherits; so does what is no Python.
    """
    everything = list(range(len(source.splitlines())))
    try:
        tree = ast.parse("\n".join(source.splitlines()))
    except (SyntaxError, ValueError, RecursionError):
        return everything
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    for number, owner in enumerate(classes):
        if step := next((node for node in _functions(owner.body) if node.name == STEP), None):
            return _numbers([*classes[:number], *_called(tree, owner, step)])
    return _numbers(classes) or everything


def _called(tree: ast.Module, owner: ast.ClassDef, step: ast.FunctionDef) -> list[ast.stmt]:
    """`step`, and the functions, classes, methods and assignments of the file that it leads to."""
    module: dict[str, ast.stmt] = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    methods = {node.name: node for node in _functions(owner.body)}
    assigned: dict[str, ast.stmt] = {}
    for statement in (part for part in ast.walk(owner) if isinstance(part, ast.Assign)):
        for target in statement.targets:
            if _of_self(target) and {*_names(statement)} & module.keys():
                assigned.setdefault(_of_self(target), statement)
    reached: list[ast.stmt] = []
    waiting: list[ast.stmt] = [step]
    while waiting:
        node = waiting.pop()
        if node in reached or node is owner:
            continue
        reached.append(node)
        waiting += [module[name] for name in _names(node) if name in module]
        calls = (part.func for part in ast.walk(node) if isinstance(part, ast.Call))
        for name in (_of_self(part) for call in calls for part in ast.walk(call)):
            waiting += [known[name] for known in (methods, assigned) if name in known]
    return reached


def step_code(source: str) -> list[Words]:
    """The words of `step_lines`; lines that follow each other lose the indentation that all of them share."""
    lines, numbers = words(source), step_lines(source)
    texts = ["".join(text for _, text in lines[number]) for number in numbers]
    starts = [i for i, number in enumerate(numbers) if not i or number != numbers[i - 1] + 1]
    shown: list[Words] = []
    for start, end in itertools.pairwise([*starts, len(numbers)]):
        shared = min((len(text) - len(text.lstrip()) for text in texts[start:end] if text.strip()), default=0)
        shown += [_without(lines[number], shared) for number in numbers[start:end]]
    return shown


def _without(line: Words, width: int) -> Words:
    """A line without its first characters, which are spaces."""
    kept = []
    for kind, text in line:
        cut = min(width, len(text))
        width -= cut
        if text[cut:]:
            kept.append([kind, text[cut:]])
    return kept


def differences(left: list[str], right: list[str]) -> list[Span]:
    """(from, to) in `left` and (from, to) in `right` of every group of lines that differ."""
    matcher = difflib.SequenceMatcher(None, left, right, autojunk=False)
    return [(a, b, c, d) for tag, a, b, c, d in matcher.get_opcodes() if tag != "equal"]


def library(sources: dict[str, str]) -> dict[str, dict[str, list[Words]]]:
    """Every source by its hash: the words of the whole file, and those of its step."""
    return {name: {"lines": words(source), "step": step_code(source)} for name, source in sources.items()}


def pairs(sources: dict[str, str], groups: Iterable[Iterable[str]]) -> dict[str, list[Span]]:
    """`differences` between the steps of any two sources of a group, under both hashes in alphabetical order."""
    steps = {name: ["".join(text for _, text in line) for line in step_code(source)] for name, source in sources.items()}
    wanted = {pair for group in groups for pair in itertools.combinations(sorted(set(group)), 2)}
    return {f"{left} {right}": differences(steps[left], steps[right]) for left, right in sorted(wanted)}


def _functions(body: list[ast.stmt]) -> Iterator[ast.FunctionDef]:
    return (node for node in body if isinstance(node, ast.FunctionDef))


def _names(node: ast.AST) -> Iterator[str]:
    return (part.id for part in ast.walk(node) if isinstance(part, ast.Name))


def _of_self(node: ast.AST) -> str:
    """`train` of `self.train`, nothing of anything else."""
    return node.attr if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self" else ""


def _numbers(nodes: Iterable[ast.stmt]) -> list[int]:
    numbers = set()
    for node in nodes:
        decorators = getattr(node, "decorator_list", [])
        first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
        numbers |= {*range(first - 1, node.end_lineno or first)}
    return sorted(numbers)
