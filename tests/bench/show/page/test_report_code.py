"""If these fail, the page shows other lines than those that were timed, or miscounts changes."""

import pytest

from bench.paths import BACKENDS
from tests.bench.show.page.made import MISSING

code = pytest.importorskip("bench.show.page.code", reason=MISSING)


def _text(lines):
    return ["".join(text for _, text in line) for line in lines]


@pytest.mark.parametrize(
    "source",
    [path.read_text() for path in sorted(BACKENDS.glob("*_*.py"))]
    + ["", "\n\n", "\n\nx = 1\n\n", 's = """a\n\n  b"""\n', "no newline", "a = 1\r\nb = 2\x0cc"],
)
def test_words_are_the_source_and_nothing_else(source):
    """A highlighted file that lost or gained a character would be another program."""
    assert _text(code.words(source)) == source.splitlines()


CALLS = """import jit

@jit(cache=True)
def helper(x):
    return x

def unused():
    return 0

class A(TrainStep):
    def __init__(self):
        self.train = jit(helper)

    def step(self):

        return self.train(1)

    def get_weights(self):
        return 2
"""
STEP_AND_CALLED = [
    "@jit(cache=True)", "def helper(x):", "    return x", "self.train = jit(helper)",
    "def step(self):", "", "    return self.train(1)",
]  # fmt: skip
STEP = "class Base:\n    def step(self):\n        1\n"
HEIR = f"class Heir(Base):\n    fused = 1\n\nimport torch\n\n{STEP}"


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        (CALLS, STEP_AND_CALLED),
        (HEIR, ["class Heir(Base):", "    fused = 1", "def step(self):", "    1"]),
        ("class A(B):\n    x = 1\n", ["class A(B):", "    x = 1"]),
        ("this is no python (", ["this is no python ("]),
        ("x = 1\n", ["x = 1"]),
        ("class A:\n\tdef step(self:\n", ["class A:", "\tdef step(self:"]),
    ],
)
def test_a_step_comes_with_what_it_calls_and_inherits(source, shown):
    """What is no Python stands there as a whole: a journal may hold anything."""
    assert _text(code.step_code(source)) == shown


def test_only_lines_that_differ_differ_and_only_pairs_of_a_run_are_compared():
    one, other = ["a", "b", "c", "d"], ["a", "x", "y", "c", "d", "e"]
    assert code.differences(one, other) == [(1, 2, 1, 3), (4, 4, 5, 6)]
    assert code.differences(one, one) == []
    sources = {each: f"class A:\n    def step(self):\n        return {each!r}\n" for each in "bac"}
    assert code.pairs(sources, [["b", "a"], ["c"]]) == {"a b": [(1, 2, 1, 2)]}
