"""If these fail, the page that teaches shows lines or figures that are no longer true."""

import difflib
import inspect
import re

import numpy as np

from bench.paths import BACKENDS, ROOT
from bench.plan import discovery
from tests.made import PROBLEM, SHAPE

PAGE = (ROOT / "docs" / "side-by-side.md").read_text()
SABOTAGED = ROOT / "tests" / "sabotaged"
SOURCES = {path.stem: path.read_text() for path in BACKENDS.glob("*.py")}
LINES = {
    name: {re.sub(r"\s+# .*", "", line).strip() for line in text.splitlines()}
    for name, text in SOURCES.items()
}
"""The lines of a backend without indentation and trailing comment."""


def _tables():
    """Tables of the page as rows of cells, the header first."""
    for block in re.findall(r"(?:^\|.*\n)+", PAGE, re.M):
        header, _, *rows = (row.strip("|").split(" | ") for row in block.splitlines())
        yield [cell.strip() for cell in header], [[cell.strip() for cell in row] for row in rows]


def _quoted():
    """(backend, line) for every cell of a column that a backend's name heads."""
    columns = ((header, row) for header, rows in _tables() for row in rows)
    for title, cell in (pair for both in columns for pair in zip(*both, strict=True)):
        name = re.search(r"`(\w+)`", title)
        code = re.fullmatch(r"`([^`]+)`(?: in `(\w+)`)?", cell)
        if name and name[1] in SOURCES and code:
            yield code[2] or name[1], code[1]


def test_quoted_lines_stand_in_their_files():
    quoted = [*_quoted()]
    assert len(quoted) >= 30
    assert [(name, line) for name, line in quoted if line not in LINES[name]] == []
    correct = [row[-1] for header, rows in _tables() for row in rows if "correct" in header[-1]]
    assert len(correct) == 9
    everywhere = set().union(*LINES.values())
    assert [line for line in correct if line.strip("`") not in everywhere] == []
    (function,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    assert function.strip() in SOURCES["torch_function"]


def test_the_diff_of_the_two_steps_by_hand():
    ours, theirs = (
        inspect.getsource(discovery.load(BACKENDS / f"{name}.py").step).splitlines()[1:]
        for name in ("numpy_manual", "torch_manual")
    )
    diff = [line for line in difflib.ndiff(ours, theirs) if line[0] in "+-"]
    (shown,) = re.findall(r"```diff\n(.*?)```", PAGE, re.S)
    assert shown.splitlines() == [f"{line[0]} {line[2:].strip()}" for line in diff]
    code = sum(line.strip()[0] != "#" for line in ours)
    assert f"two lines between the two steps, of {code}:" in PAGE


def _ten_epochs(path):
    """(relative error of the first update of w1, ten losses) of a step in float32."""
    problem = PROBLEM.draw(SHAPE, "float32", 0)
    step = discovery.load(path)(problem, "cpu", "float32")
    with np.errstate(all="ignore"):
        losses = [float(step.step())]
        update = step.get_state()[0].astype(float) - problem.w1
        losses += [float(step.step()) for _ in range(9)]
    wanted = PROBLEM.run(problem, tuple(problem.state.values()), 1).state[0] - problem.w1
    return float(np.linalg.norm(update - wanted) / np.linalg.norm(wanted)), losses


MISTAKES = {
    "wrong_sign": "the gradient of `(y - y_pred)²` without its minus sign",
    "masked_by_gradient": "the mask taken from the gradient's sign",
    "no_mask": "no mask at all",
    "w2_first": "w2 updated before the gradient of h is taken",
    "frozen_w1": "w1 never updated",
}


def test_what_a_step_and_each_mistake_do_is_measured(monkeypatch):
    monkeypatch.syspath_prepend(str(SABOTAGED))
    error, losses = _ten_epochs(BACKENDS / "numpy_manual.py")
    right = [f"(a correct step: {error:.0e})".replace("e-0", "e-")]
    right.append(f"(a correct step: {losses[-1]:.1e}, from {losses[0]:.1e})")
    for name, words in MISTAKES.items():
        error, losses = _ten_epochs(SABOTAGED / f"{name}.py")
        right.append(f"| {words} | {error:.2f} | {losses[-1]:.1e} | `")
    assert [text for text in right if text not in PAGE] == []
