"""If these fail, what a run tells of operators, memory and losses is not what a step does."""

import numpy as np
import pytest

from backends.numpy_manual import NumpyManual
from bench.paths import BACKENDS
from bench.problem import Definition
from bench.schema.case import Case
from bench.worker import operators, profiling, visits
from tests.support import a_problem

CASE = Case("numpy_manual", "cpu", "float32", 1, "64x1000x100x10")
PROBLEM = a_problem(CASE.shape, 3)


def _opened(build):
    return visits.LoadedStep(CASE, build(PROBLEM, "cpu", "float32"), ["w1", "w2"])


def _profile(build, calls=10):
    state = [array.astype("float32") for array in PROBLEM.state.values()]
    return profiling.profile(_opened(build), state, calls)


class Thrice(NumpyManual):
    """Three additions into an array of its own, a million bytes in an array of its own, and a view, which is free."""

    def step(self):
        held = np.add(np.zeros(125_000), 1)
        self.x += 1
        self.x[self.x < 0] = 0
        return self.x.T.sum() + held[0]


def test_losses_of_ten_epochs_are_those_of_the_reference():
    found = _profile(NumpyManual)
    right = Definition.load(BACKENDS).run(PROBLEM, tuple(PROBLEM.state.values()), 10)
    np.testing.assert_allclose(found["losses"], right.losses, rtol=1e-5)
    assert found["losses"][-1] < found["losses"][0]


def test_a_call_of_several_steps_tells_fewer_losses_and_its_share_of_what_it_costs():
    class Tenfold(NumpyManual):
        steps_per_call = 10

        def step(self):
            for _ in range(self.steps_per_call):
                loss = super().step()
            return loss

    one, ten = _profile(NumpyManual), _profile(Tenfold, 1)
    assert ten["losses"] == pytest.approx(one["losses"][-1:], rel=1e-6)
    assert ten["operators"] == one["operators"]
    assert ten["allocated_bytes"] == pytest.approx(one["allocated_bytes"], rel=0.1)
    assert ten["peak_bytes"] == pytest.approx(one["peak_bytes"], rel=0.1)


def test_numpys_operators_are_counted_by_hand():
    """`+=`, `<`, the masked assignment and `.sum()`; arrays that were not the step's own are nobody's to count."""
    step = _opened(Thrice).step
    assert operators.of_numpy(step) == {"operators": 4}
    assert type(step.x) is np.ndarray, "the step gets its own arrays back"


def test_a_step_that_takes_no_other_arrays_is_not_counted():
    """Nor in part, up to where it stopped."""

    class Picky(NumpyManual):
        def step(self):
            h = self.x @ self.w1
            assert type(h) is np.ndarray
            return super().step()

    assert operators.of_numpy(_opened(Picky).step) == {}


def test_arrays_in_a_list_are_one_operation():
    class Joins(NumpyManual):
        def step(self):
            return np.concatenate([self.w2, self.w2]).sum()

    assert operators.of_numpy(_opened(Joins).step) == {"operators": 2}


def test_memory_is_that_of_one_call():
    pytest.importorskip("memray")
    found = profiling.memory(_opened(Thrice).step, 5)
    assert 2_000_000 < found["allocated_bytes"] < 2_500_000, "two arrays of a million bytes, and a mask"
    assert 2_000_000 <= found["peak_bytes"] < 2_500_000, "five calls hold no more than one"


def test_what_is_not_counted_is_said(monkeypatch):
    """Without memray memory is left out, with the way to get it; everything else is counted as ever."""
    monkeypatch.setattr(profiling.util, "find_spec", lambda name: None)
    found = _profile(NumpyManual)
    assert found["uncounted"].startswith("memory of a step: needs memray of the extra `memory`, which is not installed; run `")
    assert "peak_bytes" not in found
    assert found["operators"] > 10


def test_torchs_operators_are_those_that_nobody_else_asked_for():
    torch = pytest.importorskip("torch")

    class Two(NumpyManual):
        def step(self):
            a = torch.ones(3, 3)  # ones asks for empty and fill_
            return a @ a  # matmul asks for mm

    assert operators.of_torch(_opened(Two).step, "cpu") == {"operators": 2}
    assert operators.of_torch(_opened(NumpyManual).step, "cpu") == {}


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's profiler, which finds no accelerator here
def test_device_memory_is_that_of_one_call_on_the_steps_own_device(monkeypatch):
    torch = pytest.importorskip("torch")
    held = iter([(100, 100, 1000), (100, 160, 1090)])
    asked = []

    def stats(device):
        asked.append(device)
        return dict(zip((operators.HELD, operators.PEAK, operators.ALLOCATED), next(held), strict=True))

    class Queued(NumpyManual):
        def mark(self):
            return object()

    monkeypatch.setattr(torch.accelerator, "memory_stats", stats)
    monkeypatch.setattr(torch.accelerator, "reset_peak_memory_stats", asked.append)
    found = operators.of_torch(_opened(Queued).step, "cuda:1")
    assert found == {"operators": 0, "kernels": 0, "allocated_bytes": 90, "peak_bytes": 60}
    assert asked == ["cuda:1"] * 3
