"""If these fail, the page shows other lines than those that were timed, or calls equal lines different."""

from pathlib import Path

import pytest

from tests.bench.show.page.made import MISSING

code = pytest.importorskip("bench.show.page.code", reason=MISSING)

BACKENDS = Path(__file__).parents[4] / "backends"


def _text(lines):
    return ["".join(text for _, text in line) for line in lines]


@pytest.mark.parametrize("path", sorted(BACKENDS.glob("*.py")), ids=lambda path: path.stem)
def test_words_are_the_source_and_nothing_else(path):
    """A highlighted file that lost or gained a character would be another program."""
    source = path.read_text()
    assert _text(code.words(source)) == source.splitlines()


@pytest.mark.parametrize(
    "source", ["", "\n\n", "\n\nx = 1\n\n", 's = """a\n\n  b"""\n', "no newline at the end", "a = 1\r\nb = 2\x0cc"]
)
def test_lines_are_counted_as_python_counts_them(source):
    assert _text(code.words(source)) == source.splitlines()


def test_a_step_comes_with_what_it_calls():
    """Without the function that does the work, a compiled step would be shown as a single empty call."""
    source = (BACKENDS / "jax_jit.py").read_text()
    shown = "\n".join(_text(code.step_code(source)))
    assert "self.train = jax.jit(whole_step, donate_argnums=(0, 1))" in shown
    assert "def whole_step(" in shown
    assert "def loss_of(" in shown
    assert "def get_weights" not in shown
    assert "_gpus" not in shown


def test_a_decorator_belongs_to_its_function():
    assert "@numba.njit(cache=True)" in _text(code.step_code((BACKENDS / "numba_jit.py").read_text()))


def test_a_step_loses_the_indentation_that_its_lines_share():
    shown = _text(code.step_code("class A:\n    def step(self):\n\n        return 1\n"))
    assert shown == ["def step(self):", "", "    return 1"]


def test_an_inherited_step_shows_its_class():
    shown = _text(code.step_code((BACKENDS / "torch_module_fused.py").read_text()))
    assert shown[0] == "class TorchModuleFused(TorchModule):"


@pytest.mark.parametrize("source", ["this is no python (", "x = 1\n", "class A:\n\tdef step(self:\n"])
def test_a_source_that_cannot_be_read_stands_there_as_a_whole(source):
    """A journal may hold anything; the page has to open all the same."""
    assert _text(code.step_code(source)) == source.splitlines()


def test_only_lines_that_differ_differ():
    one, other = ["a", "b", "c", "d"], ["a", "x", "y", "c", "d", "e"]
    assert code.differences(one, other) == [(1, 2, 1, 3), (4, 4, 5, 6)]
    assert code.differences(one, one) == []


def test_every_pair_of_a_run_is_compared_and_no_other():
    sources = {name: f"class A:\n    def step(self):\n        return {name!r}\n" for name in ("b", "a", "c")}
    found = code.pairs(sources, [["b", "a"], ["c"]])
    assert found == {"a b": [(1, 2, 1, 2)]}


def test_an_inherited_step_stands_below_what_its_heir_changes():
    source = "class Heir(Base):\n    fused = True\n\n\nimport torch\n\nclass Base:\n    def step(self):\n        return 1\n"
    assert [source.splitlines()[number] for number in code.step_lines(source)] == [
        "class Heir(Base):", "    fused = True", "    def step(self):", "        return 1",
    ]  # fmt: skip
