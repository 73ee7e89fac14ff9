"""Every way of every example is right, and every mistake in its mistakes.py is refused and named."""

import re
from pathlib import Path

import pytest

from bench.errors import Wrong
from bench.judge.diagnosis import mistakes
from bench.plan import discovery
from bench.problem import Definition
from tests.proving import EXAMPLES, numpy_step, prove

# torch's own, from the moment its compiler is loaded
pytestmark = pytest.mark.filterwarnings(
    "ignore:`torch.jit.script_method` is deprecated:DeprecationWarning"
)
FOLDERS = sorted(EXAMPLES.iterdir())
DTYPES = ("float32", "float64")
WAYS = [(folder, name) for folder in FOLDERS for name in discovery.find([folder])]
MISTAKES = [(folder, hint, step) for folder in FOLDERS for hint, step in mistakes(folder)]


def called(value):
    if isinstance(value, Path):
        return value.name
    return "" if isinstance(value, str) and " " in value else getattr(value, "__name__", None)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("folder", "name"), WAYS, ids=called)
def test_a_way_is_right(folder, name, dtype):
    try:
        build = discovery.load(discovery.find([folder])[name])
    except discovery.MissingLibrary as missing:
        pytest.skip(f"{name} needs the library {missing}, which is not installed")
    if reason := build.why_not("cpu", dtype):
        pytest.skip(f"{name} {reason}")
    errors = prove(build, dtype, folder=folder, small=0)
    assert errors["share"] <= 1
    definition = Definition.load(folder)
    state = definition.draw(definition.small[0], dtype, 0).state
    assert list(errors["arrays"]) == ["loss", *state]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("folder", "hint", "step"), MISTAKES, ids=called)
def test_a_mistake_is_named(folder, hint, step, dtype):
    shape = Definition.load(folder).small[0]  # quick
    with pytest.raises(Wrong, match=re.escape(hint)):
        prove(numpy_step(step), dtype, shape, folder, small=0)


@pytest.mark.parametrize("folder", FOLDERS, ids=called)
def test_each_example_has_the_baseline(folder):
    assert "numpy_manual" in discovery.find([folder])
