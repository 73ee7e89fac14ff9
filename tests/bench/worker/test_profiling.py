"""If these fail, a run records other memory than the step has, or a line has no time, or that of another line."""

import time
import timeit

import numpy as np
import pytest

from backends.api import Control, TrainStep
from backends.numpy_manual import NumpyManual
from bench.paths import BACKENDS
from bench.plan import discovery
from bench.show import code_lines
from bench.worker import profiling
from tests.support import a_problem

PROBLEM = a_problem("64x1000x100x10", 3)


def _profile(build):
    return profiling.profile(build(PROBLEM, "cpu", "float32"), "cpu")


class Thrice(NumpyManual):
    """Holds two arrays of a million bytes and a mask."""

    def step(self):
        held = np.add(np.zeros(125_000), 1)
        self.x += 1
        self.x[self.x < 0] = 0
        return self.x.T.sum() + held[0]


def test_a_call_of_several_steps_tells_its_share_of_what_it_costs():
    class Tenfold(NumpyManual):
        steps_per_call = 10

        def step(self):
            for _ in range(self.steps_per_call):
                loss = super().step()
            return loss

    one, ten = _profile(NumpyManual), _profile(Tenfold)
    assert ten["allocated_bytes"] == pytest.approx(one["allocated_bytes"], rel=0.1)
    assert ten["peak_bytes"] == pytest.approx(one["peak_bytes"], rel=0.1)


def test_memory_is_that_of_one_call():
    pytest.importorskip("memray")
    found = profiling.memory(Thrice(PROBLEM, "cpu", "float32"))
    assert 2_000_000 < found["allocated_bytes"] < 2_500_000, "two arrays of a million bytes, and a mask"
    assert 2_000_000 <= found["peak_bytes"] < 2_500_000, "ten calls hold no more than one"


def test_what_is_not_counted_is_said(monkeypatch):
    """What a library that is not installed would measure is left out, with the way to get it."""
    monkeypatch.setattr(profiling.util, "find_spec", lambda name: None)
    found = _profile(NumpyManual)
    says = "{}: needs {} of the extra `{}`, which is not installed; run `"
    extras = [("time of each line of a step", "line_profiler", "lines"), ("memory of a step", "memray", "memory")]
    assert [each for each in extras if says.format(*each) not in found["uncounted"]] == []
    assert "lines" not in found
    assert "peak_bytes" not in found


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's profiler, which finds no accelerator here
def test_device_memory_is_that_of_one_call_on_the_steps_own_device(monkeypatch):
    torch = pytest.importorskip("torch")
    held = iter([(100, 100, 1000), (100, 160, 1090)])
    asked = []

    def stats(device):
        asked.append(device)
        return dict(zip((profiling.HELD, profiling.PEAK, profiling.ALLOCATED), next(held), strict=True))

    class Queued(NumpyManual):
        def mark(self):
            return object()

    monkeypatch.setattr(torch.accelerator, "memory_stats", stats)
    monkeypatch.setattr(torch.accelerator, "reset_peak_memory_stats", asked.append)
    found = profiling.on_device(Queued(PROBLEM, "cpu", "float32"), "cuda:1")
    assert found == {"kernels": 0, "allocated_bytes": 90, "peak_bytes": 60}
    assert asked == ["cuda:1"] * 3


class Sleeping(TrainStep):
    def __init__(self, *_):
        self.calls = 0

    def step(self):
        time.sleep(0.002)
        time.sleep(0.004)
        return 0.0

    get_state = set_state = Control.get_state


ONES = np.ones(64)


def _added(number):
    return np.add(ONES, number)


def _many():
    for number in range(100):
        _added(number)


class Calls(Control):
    """Calls Python functions, which the tracer makes half as slow again."""

    def step(self):
        _many()
        return 0.0


def test_what_the_tracer_adds_to_functions_below_a_line_is_taken_off():
    step = Calls(PROBLEM, "cpu", "float32")

    def share():
        """Of the lines, in the quickest of many steps."""
        quickest = min(timeit.repeat(step.step, number=1, repeat=500))
        return sum(profiling.lines(step).values()) / quickest

    assert any(0.8 < share() < 1.25 for _ in range(8)), "a neighbour disturbs some"


class Inherits(Sleeping):
    steps_per_call = 2


def test_each_line_has_its_own_time_per_step():
    pytest.importorskip("line_profiler")
    short, long, end = profiling.lines(Sleeping()).values()
    assert 0.002 <= short < 0.004 <= long < 0.02
    assert end < 0.001
    halved, *_ = profiling.lines(Inherits()).values()
    assert 0.001 <= halved < 0.002


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's profiler, which finds no accelerator here
@pytest.mark.parametrize(("name", "differentiates"), [("numpy_manual", False), ("torch_module_fused", True)])
def test_lines_are_those_of_the_source_that_a_journal_has(name, differentiates):
    """That of the backend's file, followed by the file whose step it inherits."""
    pytest.importorskip("line_profiler")
    path = BACKENDS / f"{name}.py"
    source = discovery.describe(path, ["cpu"])["source"]
    step = discovery.load(path)(PROBLEM, "cpu", "float32")
    timed = {int(line): seconds for line, seconds in profiling.lines(step).items()}
    code = [line for line in code_lines.code(source) if line.phase != code_lines.BEFORE]
    assert {line.line for line in code if not line.code.strip().startswith("#")} == set(timed)
    assert bool(profiling.backward(step, "cpu")) == differentiates
