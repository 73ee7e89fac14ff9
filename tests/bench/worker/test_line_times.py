"""If these fail, a line of a step has no time, or that of another line."""

import time

import pytest

from backends.api import Control, TrainStep
from bench.paths import BACKENDS
from bench.plan import discovery
from bench.problem import Definition
from bench.show import code_lines
from bench.worker import lines

pytest.importorskip("line_profiler")


class Sleeping(TrainStep):
    def __init__(self, *_):
        self.calls = 0

    def step(self):
        time.sleep(0.002)
        time.sleep(0.004)
        return 0.0

    get_state = set_state = Control.get_state


class Inherits(Sleeping):
    steps_per_call = 2


def test_each_line_has_its_own_time_per_step():
    short, long, end = lines.of(Sleeping()).values()
    assert 0.002 <= short < 0.004 <= long < 0.02
    assert end < 0.001
    halved, *_ = lines.of(Inherits()).values()
    assert 0.001 <= halved < 0.002


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's profiler, which finds no accelerator here
@pytest.mark.parametrize(("name", "differentiates"), [("numpy_manual", False), ("torch_module_fused", True)])
def test_lines_are_those_of_the_source_that_a_journal_has(name, differentiates):
    """That of the backend's file, followed by the file whose step it inherits."""
    path = BACKENDS / f"{name}.py"
    source = discovery.describe(path, ["cpu"])["source"]
    definition = Definition.load(BACKENDS)
    step = discovery.load(path)(definition.draw(definition.default, "float32", 0), "cpu", "float32")
    timed = {int(line): seconds for line, seconds in lines.of(step).items()}
    code = [line for line in code_lines.code(source) if line.phase != code_lines.BEFORE]
    assert {line.line for line in code if not line.code.strip().startswith("#")} == set(timed)
    assert bool(lines.backward(step, "cpu")) == differentiates
