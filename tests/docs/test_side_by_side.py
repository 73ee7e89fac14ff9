"""If these fail, the page that teaches shows lines or figures that are no longer true."""

import difflib
import inspect
import re
from pathlib import Path

import numpy as np
import pytest

from backends import reference
from backends.api import Problem
from bench.paths import BACKENDS
from bench.plan import discovery

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "side-by-side.md").read_text()
SABOTAGED = ROOT / "tests" / "sabotaged"
SOURCES = {path.stem: path.read_text() for path in BACKENDS.glob("*.py")}


def _code_lines(name: str) -> set[str]:
    """The lines of a backend without indentation and trailing comment."""
    return {re.sub(r"\s+# .*", "", line).strip() for line in SOURCES[name].splitlines()}


def _tables() -> list[list[list[str]]]:
    """Tables of the page as rows of cells, the header first."""
    blocks = re.findall(r"(?:^\|.*\n)+", PAGE, re.M)
    return [[[cell.strip() for cell in row.strip("|").split(" | ")] for row in block.splitlines()] for block in blocks]


def _quoted():
    """(backend, line) for every cell of a column that a backend's name heads."""
    for header, _, *rows in _tables():
        for row in rows:
            for title, cell in zip(header, row, strict=True):
                name = re.search(r"`(\w+)`", title)
                code = re.fullmatch(r"`([^`]+)`(?: in `(\w+)`)?", cell)
                if name and name[1] in SOURCES and code:
                    yield code[2] or name[1], code[1]


def test_quoted_lines_stand_in_their_files():
    quoted = list(_quoted())
    assert len(quoted) >= 30
    assert [(name, line) for name, line in quoted if line not in _code_lines(name)] == []


def _step_lines(name: str) -> list[str]:
    return inspect.getsource(discovery.load(BACKENDS / f"{name}.py").step).splitlines()[1:]


def test_the_diff_of_the_two_steps_by_hand():
    ours, theirs = _step_lines("numpy_manual"), _step_lines("torch_manual")
    diff = [line for line in difflib.ndiff(ours, theirs) if line[0] in "+-"]
    (shown,) = re.findall(r"```diff\n(.*?)```", PAGE, re.S)
    assert shown.splitlines() == [line[0] + " " + line[2:].strip() for line in diff]
    assert f"two lines between the two steps, of {sum(line.strip()[0] != '#' for line in ours)}:" in PAGE
    assert len(diff) == 4


def test_the_function_is_quoted_whole():
    (shown,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    assert shown.strip() in SOURCES["torch_function"]


def _ten_epochs(path: Path) -> tuple[float, list[float]]:
    """(relative error of the first update of w1, ten losses) of a step on the default problem in float32."""
    problem = Problem.random()
    step = discovery.load(path)(problem, "cpu", "float32")
    with np.errstate(all="ignore"):
        losses = [float(step.step())]
        update = step.get_weights()[0].astype(float) - problem.w1.astype("float32")
        losses += [float(step.step()) for _ in range(9)]
    wanted = reference.train(problem, 1).w1 - problem.w1
    return float(np.linalg.norm(update - wanted) / np.linalg.norm(wanted)), losses


def test_the_correct_figures():
    error, losses = _ten_epochs(BACKENDS / "numpy_manual.py")
    assert f"(a correct step: {error:.0e})".replace("e-0", "e-") in PAGE
    assert f"(a correct step: {losses[-1]:.1e}, from {losses[0]:.1e})" in PAGE


MISTAKES = {
    "wrong_sign": "the gradient of `(y - y_pred)²` without its minus sign",
    "masked_by_gradient": "the mask taken from the gradient's sign",
    "no_mask": "no mask at all",
    "w2_first": "w2 updated before the gradient of h is taken",
    "frozen_w1": "w1 never updated",
}


@pytest.mark.parametrize("name", MISTAKES)
def test_what_a_mistake_does_is_measured(name, monkeypatch):
    monkeypatch.syspath_prepend(str(SABOTAGED))
    error, losses = _ten_epochs(SABOTAGED / f"{name}.py")
    assert f"| {MISTAKES[name]} | {error:.2f} | {losses[-1]:.1e} | `" in PAGE


def test_the_correct_lines_of_the_mistakes_stand_in_a_backend():
    everywhere = set().union(*(_code_lines(name) for name in SOURCES))
    rows = [row for header, _, *rows in _tables() if header[-1] == "the correct line" for row in rows]
    assert len(rows) == 9
    assert [row[-1] for row in rows if row[-1].strip("`") not in everywhere] == []


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("class ReLU(torch.autograd.function): pass", "TypeError: module() takes at most 2 arguments (3 given)"),
        ("ctx.sava_for_backward(x)", "AttributeError: 'ReLUBackward' object has no attribute 'sava_for_backward'"),
        ("x = ctx.saved_tensors()", "TypeError: 'tuple' object is not callable"),
        ("@classmethod\n    def backward", "TypeError: ReLU.backward() takes 2 positional arguments but 3 were given"),
    ],
)
def test_what_does_not_run_says_so(code, says):
    import torch

    error, _, message = says.partition(": ")
    whole = inspect.getsource(inspect.getmodule(discovery.load(BACKENDS / "torch_function.py")).ReLU)
    if code.startswith("class"):
        whole = code
    elif "sava" in code:
        whole = whole.replace("ctx.save_for_backward(x)", code)
    elif "saved" in code:
        whole = whole.replace("(x,) = ctx.saved_tensors", code)
    else:
        whole = re.sub(r"@staticmethod\n    def backward", code, whole)
    whole += "\n\nReLU.apply(torch.ones(2, requires_grad=True)).sum().backward()"
    with pytest.raises((TypeError, AttributeError)) as caught:
        exec(whole, {"torch": torch})
    assert type(caught.value).__name__ == error
    assert str(caught.value) == message
    assert f"`{says}`" in PAGE
