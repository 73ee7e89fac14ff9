"""If these fail, a wrong step could be timed, or a right one be rejected."""

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from backends.api import weights_dtype
from backends.numpy_manual import NumpyManual
from bench.errors import Wrong
from bench.measure import conductor
from bench.measure.catalogue import catalogue
from bench.paths import BACKENDS
from bench.plan import discovery
from bench.plan.cases import make_plan
from bench.settings import Settings
from bench.worker import gate
from tests.proving import answers, judge_of, prove
from tests.support import a_problem

SABOTAGED = Path(__file__).parents[2] / "sabotaged"
NAMES = sorted(path.stem for path in SABOTAGED.glob("[a-z]*.py"))


@pytest.fixture(scope="module")
def ends():
    """Name → the record that proving a sabotaged backend in its process ends with, in float32 if it has that."""
    settings = replace(Settings.from_env({}), path=(SABOTAGED,), backends=tuple(NAMES), dtypes=("float64", "float32"))
    settings = replace(settings, devices=("cpu",), shapes=("33x257x65x17",))
    plan = make_plan(settings, *catalogue(settings))
    cases = {case.backend: case for case in plan.cases}
    records = conductor.prove(replace(plan, cases=tuple(cases.values())))
    return {name: records[case.key] for name, case in cases.items()}


@pytest.mark.parametrize("name", NAMES)
def test_a_sabotaged_backend_is_rejected_for_what_is_wrong_with_it(name, ends):
    says = re.search(r'SAYS = r"(.*)"', (SABOTAGED / f"{name}.py").read_text())[1]
    assert ends[name]["record"] == "failure", f"{name} went through the gate"
    assert re.search(rf"^{name}\[cpu, float(32|64)\] .*{says}", ends[name]["reason"]), ends[name]["reason"]


SMALL = "7x13x5x3"


@cache
def _asked(dtype="float32", shape=SMALL):
    """A judge, and what it asks first of a proof."""
    judge = judge_of(BACKENDS)
    return judge, judge.prove(shape, dtype, 1, 0)


def _gate(build):
    return answers(gate.prove, build, _asked()[1])


@pytest.mark.parametrize("name", ["x", "y", "w1", "w2"])
def test_each_input_that_changes_is_named(name):
    class Writes(NumpyManual):
        def __init__(self, problem, device, dtype):
            super().__init__(problem, device, dtype)
            self.given = getattr(problem, name)

        def step(self):
            self.given.flags.writeable = True
            self.given[0, 0] += 1
            return super().step()

    with pytest.raises(Wrong, match=f"^writes to its input: Problem.{name} has changed"):
        _gate(Writes)


class Queues(NumpyManual):
    """Updates when the next step is asked for, or waited for: its weights are old until then."""

    queued = None

    def step(self):
        self.synchronize()
        before = super().get_state()
        loss = super().step()
        self.queued = super().get_state()
        super().set_state(*before)
        return loss

    def synchronize(self):
        if self.queued:
            super().set_state(*self.queued)
            self.queued = None


def test_a_step_that_queues_its_work_is_waited_for_before_it_is_compared():
    assert prove(Queues, "float64", SMALL)["arrays"]["w1"] < 1e-12


@pytest.mark.parametrize("after", [0, 1])
@pytest.mark.parametrize(("change", "found"), [(np.ndarray.tolist, "list"), (np.float16, r"float16 \(13, 5\)")])
def test_weights_that_the_judge_could_not_read_are_named(change, found, after):
    """Whenever they are handed out."""

    class Hands(NumpyManual):
        asked = 0

        def get_state(self):
            self.asked += 1
            return [change(w) if self.asked > after else w for w in super().get_state()]

    with pytest.raises(Wrong, match=f"^hands out w1 as {found}, expected an array of float32$"):
        _gate(Hands)


@pytest.mark.parametrize(
    ("loss", "says"),
    [("much", "returns str, expected the loss"), (print, "returns a method and not the loss")],
)
def test_a_loss_is_a_number(loss, says):
    step = NumpyManual(a_problem(), "cpu", "float32")
    losses, w1, w2 = gate.hand_out(step, [1, np.float32(0.5)], "float32", ["w1", "w2"])
    assert (losses.tolist(), losses.dtype.name) == ([1.0, 0.5], "float64")
    assert (w1.shape, w2.shape) == ((13, 5), (5, 3))
    with pytest.raises(Wrong, match=says):
        gate.hand_out(step, [loss], "float32", ["w1", "w2"])


@pytest.mark.parametrize("own", [0, 1])
def test_a_step_that_hands_out_one_of_its_own_weights_is_seen(own):
    class Hands(NumpyManual):
        def get_state(self):
            copies = super().get_state()
            return [(self.w1, self.w2)[n] if n == own else copies[n] for n in (0, 1)]

    with pytest.raises(Wrong, match="^hands out its own arrays instead of copies"):
        _gate(Hands)


def test_a_step_is_built_for_the_device_and_the_dtype_that_were_asked_for():
    built = []

    class Noted(NumpyManual):
        def __init__(self, problem, device, dtype):
            built.append((device, dtype))
            super().__init__(problem, device, "float32")

    judge, asked = _asked("tf32")
    turns = judge.turns(SMALL, "tf32", 1)
    for take, question in ((gate.prove, asked), (gate.take_turns, turns)):
        answers(take, Noted, question, "cuda:1", "tf32")
    assert built == [("cuda:1", "tf32")] * 3


class AddsEachSample(discovery.load(BACKENDS / "numpy_manual.py")):
    """Honest arithmetic that rounds the weights as often as can be: each sample's part of the update is added at once."""

    def step(self):
        h_relu = np.maximum(h := self.x @ self.w1, 0)
        error = h_relu @ self.w2 - self.y
        grad_h = error @ self.w2.T * (h >= 0)
        rate = self.x.dtype.type(2 * self.learning_rate)
        for x, own_h_relu, own_grad_h, own_error in zip(self.x, h_relu, grad_h, error, strict=True):
            self.w1 -= np.outer(x, rate * own_grad_h)
            self.w2 -= np.outer(own_h_relu, rate * own_error)
        return (error**2).sum()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_step_may_add_to_the_weights_sample_by_sample(dtype):
    prove(AddsEachSample, dtype)


@pytest.mark.parametrize("dtype", ["float64", "bfloat16", "tf32"])
@pytest.mark.parametrize("name", ["no_mask", "no_factor_two", "masked_by_gradient", "wrong_sign", "loss_after_update"])
def test_no_other_precision_hides_a_mistake(name, dtype, monkeypatch):
    """A tolerance that is made for few digits must not cover these."""
    monkeypatch.syspath_prepend(str(SABOTAGED))
    build = discovery.load(SABOTAGED / f"{name}.py")
    judge, asked = _asked(dtype, "64x1000x100x10")
    with np.errstate(all="ignore"):
        found = answers(gate.prove, lambda problem, *_: build(problem, "cpu", weights_dtype(dtype)), asked)
    with pytest.raises(Wrong):
        judge.judged(asked["name"], found)
