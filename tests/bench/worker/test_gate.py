"""If these fail, a wrong step could be timed, or a right one be rejected."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backends import reference
from backends.api import Problem, steady_learning_rate
from backends.numpy_manual import NumpyManual
from bench.errors import Wrong
from bench.judge import proof, questions
from bench.judge.questions import Round
from bench.measure import conductor
from bench.measure.catalogue import catalogue
from bench.paths import BACKENDS
from bench.plan import discovery
from bench.plan.cases import make_plan
from bench.settings import Settings
from bench.worker import gate
from tests.support import prove

SABOTAGED = Path(__file__).parents[2] / "sabotaged"
NAMES = sorted(path.stem for path in SABOTAGED.glob("[a-z]*.py"))


@pytest.fixture(scope="module")
def verdicts():
    """(name, dtype) → the failure that proving a sabotaged backend in its process ends with."""
    settings = replace(Settings.from_env({}), path=(SABOTAGED,), backends=tuple(NAMES))
    settings = replace(settings, devices=("cpu",))
    backends = catalogue(settings)
    found = {}
    for dtype in proof.TOLERANCE:
        plan = make_plan(replace(settings, dtypes=(dtype,)), *backends)
        cases = {case.key: case.backend for case in plan.cases}
        found |= {(name, dtype): None for name in cases.values()}
        for key, record in conductor.prove(plan).items():
            if record["record"] == "failure":
                found[cases[key], dtype] = record
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_sabotaged_backend_is_rejected_for_what_is_wrong_with_it(name, verdicts):
    says = re.search(r'SAYS = r"(.*)"', (SABOTAGED / f"{name}.py").read_text())[1]
    mine = [record for (backend, _), record in verdicts.items() if backend == name]
    assert mine, f"{name} never ran"
    for record in mine:
        assert record is not None, f"{name} went through the gate"
        assert re.search(says, record["reason"]), record["reason"]
        assert record["reason"].startswith(f"{name}[cpu, float")


SMALL = (7, 13, 5, 3)


def _gate(build, dtype="float32"):
    asked = questions.Proof(questions.SHAPES[1], dtype, 1, "nonce", "a")
    return gate.prove(build, "cpu", dtype, asked.given, asked.calls)


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
    assert prove(Queues, "cpu", "float64", SMALL, seed=1)["w1"] < 1e-12


def test_answers_to_a_proof_are_losses_and_weights_after_one_call_and_after_the_others():
    asked = questions.Proof(questions.SHAPES[1], "float64", 1, "nonce", "a")
    answers = gate.prove(NumpyManual, "cpu", "float64", asked.given, asked.calls)
    for mine, each in zip((answers[:3], answers[3:]), asked.rounds, strict=True):
        expected = each.expected.losses, each.expected.w1, each.expected.w2
        for array, right in zip(mine, expected, strict=True):
            assert array == pytest.approx(right)


def test_a_worker_trains_on_the_data_and_the_learning_rate_that_it_was_given():
    problem = Problem.random(*SMALL, learning_rate=0.125)
    again = gate.problem_from(questions.arrays(problem))
    assert again.learning_rate == 0.125
    assert all(getattr(again, name) is getattr(problem, name) for name in ("x", "y", "w1", "w2"))


@pytest.mark.parametrize("after", [0, 1])
@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda w: w.tolist(), "list"),
        (lambda w: w.astype("float16"), r"float16 \(13, 5\)"),
        (lambda w: w.astype(int), r"int64 \(13, 5\)"),
    ],
)
def test_weights_that_the_judge_could_not_read_are_named(change, found, after):
    """Whenever they are handed out."""

    class Hands(NumpyManual):
        asked = 0

        def get_state(self):
            self.asked += 1
            return [change(w) if self.asked > after else w for w in super().get_state()]

    with pytest.raises(Wrong, match=f"^hands out w1 as {found}, expected an array of float32$"):
        _gate(Hands)


def test_weights_are_two_and_losses_numbers():
    class Hands(NumpyManual):
        def get_state(self):
            return (*super().get_state(), self.w1)

    step, three = (
        build(Problem.random(*SMALL), "cpu", "float32") for build in (NumpyManual, Hands)
    )
    losses, w1, w2 = gate.hand_out(step, [1, np.float32(0.5)], "float32")
    assert (losses.tolist(), losses.dtype.name) == ([1.0, 0.5], "float64")
    assert (w1.shape, w2.shape) == ((13, 5), (5, 3))
    with pytest.raises(ValueError, match="longer"):
        gate.hand_out(three, [1.0], "float32")


@pytest.mark.parametrize("own", [0, 1])
def test_a_step_that_hands_out_one_of_its_own_weights_is_seen(own):
    class Hands(NumpyManual):
        def get_state(self):
            copies = super().get_state()
            return [(self.w1, self.w2)[n] if n == own else copies[n] for n in (0, 1)]

    with pytest.raises(Wrong, match="^hands out its own weights instead of copies"):
        _gate(Hands)


def test_a_step_is_built_for_the_device_and_the_dtype_that_were_asked_for():
    built = []

    class Noted(NumpyManual):
        def __init__(self, problem, device, dtype):
            built.append((device, dtype))
            super().__init__(problem, device, "float32")

    asked = questions.Proof(questions.SHAPES[1], "tf32", 1, "nonce", "a")
    turns = questions.Turns("tf32", 1, "nonce")
    gate.prove(Noted, "cuda:1", "tf32", asked.given, asked.calls)
    gate.take_turns(Noted, "cuda:1", "tf32", turns.given, 1)
    assert built == [("cuda:1", "tf32")] * 3


def _trajectory(steps=1):
    problem = Problem.random(seed=1)
    return problem, reference.train(problem, steps)


def test_updates_are_judged_and_not_weights():
    """The weights are right to 0.9 % here, and the update is missing."""
    problem, expected = _trajectory()
    weights = problem.w1.astype("float32"), expected.w2.astype("float32")
    with pytest.raises(
        Wrong, match="never updates w1: relative error 1, allowed 3.6e-05; its first loss is right"
    ):
        proof.compare(expected, expected.losses, weights, "float32")


@pytest.mark.parametrize("size", [3e-4, np.nan, np.inf])
def test_an_error_above_the_tolerance_or_no_number_is_wrong(size):
    _, expected = _trajectory()
    off = expected.w1 + size * (expected.w1 - expected.start[0])
    with pytest.raises(Wrong, match="updates w1 wrongly"):
        proof.compare(expected, expected.losses, (off, expected.w2), "float64")


@pytest.mark.parametrize("shape", questions.SHAPES, ids=str)
def test_no_proof_is_vacuous(shape):
    """With every hidden unit closed there is no update to get wrong: a third of the draws of 1x1x1x1 are like that."""
    for number in range(100):
        asked = questions.Proof(shape, "float64", 1, "nonce", f"{number}")
        for each in asked.rounds:
            gradients = reference.gradients(asked.problem, *each.start)
            assert gradients.grad_w1.any()
            assert gradients.grad_w2.any()


def test_a_kink_excuses_no_other_error():
    """Which side a unit took can be told from the update; what is left is judged as if no unit had been undecided."""
    problem = Problem.random(seed=2, learning_rate=1e-7)
    unsure = reference.train(problem, 1, kink_margin=5e-3)
    places = np.argwhere(unsure.undecided[0])
    assert len(places) > reference.FEW
    flipped = np.zeros((64, 100), bool)
    flipped[tuple(places[::2].T)] = True
    w1 = (
        problem.w1
        - problem.learning_rate
        * reference.gradients(problem, problem.w1, problem.w2, flipped).grad_w1
    )
    assert proof.judge(problem, unsure, unsure.losses, (w1, unsure.w2), "float64").kinks == 1
    with pytest.raises(Wrong, match="updates w1 wrongly: relative error 0.0001, allowed .*e-1[34]"):
        proof.judge(
            problem, unsure, unsure.losses, (w1 + 1e-4 * (w1 - problem.w1), unsure.w2), "float64"
        )


def _flipped(problem, flips):
    """w1, w2 and the losses of steps in which some units took the other side."""
    w1, w2, losses = problem.w1, problem.w2, []
    for flipped in flips:
        now = reference.gradients(problem, w1, w2, flipped)
        losses.append(now.loss)
        w1, w2 = w1 - problem.learning_rate * now.grad_w1, w2 - problem.learning_rate * now.grad_w2
    return w1, w2, losses


def _unsure(steps, margin):
    """A problem, and steps of it in which units within the margin are undecided."""
    problem = Problem.random(
        33, 257, 65, 17, seed=4, learning_rate=steady_learning_rate(33, 257, 65, 17)
    )
    return problem, reference.train(problem, steps, kink_margin=margin)


def test_in_a_trajectory_the_side_that_a_unit_took_is_told_too():
    problem, unsure = _unsure(5, 2e-4)
    assert 1 < unsure.undecided.sum() <= reference.FEW
    flipped = np.zeros_like(unsure.undecided)
    flipped[tuple(np.argwhere(unsure.undecided)[1])] = True
    w1, w2, losses = _flipped(problem, flipped)
    with pytest.raises(Wrong):
        proof.compare(unsure, losses, (w1, w2), "float64")
    assert proof.judge(problem, unsure, losses, (w1, w2), "float64").kinks == 1
    with pytest.raises(Wrong, match="lower precision"):
        proof.judge(problem, unsure, losses, (w1 + 1e-4 * (w1 - problem.w1), w2), "float64")


def test_sides_that_one_step_took_are_not_looked_for_again(monkeypatch):
    """Several ways answer the same round; finding the sides takes as long as ten visits."""
    problem, unsure = _unsure(6, 2e-4)
    flipped = np.zeros_like(unsure.undecided)
    flipped[tuple(np.argwhere(unsure.undecided)[1])] = True
    w1, w2, losses = _flipped(problem, flipped)
    asked = Round(problem, "float64", (problem.w1, problem.w2), unsure)
    asked.judge(unsure.losses, (unsure.w1, unsure.w2), 1)
    assert not asked.sides, "a step that took the usual sides teaches nothing"
    found = asked.judge(np.array(losses), (w1, w2), 1)
    assert (found.kinks, len(asked.sides)) == (1, 1)
    looked = []
    monkeypatch.setattr(reference, "nearer", lambda *_: looked.append(True) or iter(()))
    assert asked.judge(np.array(losses), (w1, w2), 1) == found
    assert asked.judge(np.array(losses[1::2]), (w1, w2), 2).kinks == 1
    assert not looked
    with pytest.raises(Wrong):
        asked.judge(np.array(losses), (w1 + 1e-4 * (w1 - problem.w1), w2), 1)
    assert looked
    with pytest.raises(Wrong):
        asked.judge(np.array(losses[:2]), (w1, w2), 2)


@pytest.mark.parametrize(
    ("undecided", "steps", "allowed"),
    [(reference.FEW, 5, False), (reference.FEW + 1, 5, True), (None, 5, True), (None, 1, False)],
)
def test_where_undecided_units_are_too_many_to_tell_what_they_could_have_changed_is_allowed(
    undecided, steps, allowed
):
    """An update that is a little on the way to another side's, and so on neither."""
    problem, unsure = _unsure(steps, 5e-3)
    places = np.argwhere(unsure.undecided)
    assert len(places) > reference.FEW + 1
    some = np.zeros_like(unsure.undecided)
    some[tuple(places[:undecided].T)] = True
    flipped = np.zeros_like(some)
    flipped[tuple(places[0])] = True
    w1 = unsure.w1 + 0.3 * (_flipped(problem, flipped)[0] - unsure.w1)
    asked = problem, replace(unsure, undecided=some), unsure.losses, (w1, unsure.w2), "float64"
    if allowed:
        assert proof.judge(*asked).kinks == 1
    else:
        with pytest.raises(Wrong):
            proof.judge(*asked)


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
def test_a_product_may_add_to_the_weights_term_by_term(dtype):
    prove(AddsEachSample, "cpu", dtype, (64, 1000, 100, 10), seed=1)


@pytest.mark.parametrize("dtype", ["bfloat16", "tf32"])
@pytest.mark.parametrize(
    "name", ["no_mask", "no_factor_two", "masked_by_gradient", "wrong_sign", "loss_after_update"]
)
def test_a_reduced_precision_hides_no_mistake(name, dtype, monkeypatch):
    """The step is spoilt as the sabotaged one is; a tolerance made for few digits must not cover that."""
    monkeypatch.syspath_prepend(str(SABOTAGED))
    problem = Problem.random(
        seed=3, learning_rate=steady_learning_rate(64, 1000, 100, 10)
    )  # the gate's
    step = discovery.load(SABOTAGED / f"{name}.py")(problem, "cpu", "float32")
    losses = [float(step.step())]
    expected = reference.train(problem, 1, kink_margin=proof.KINK_MARGIN[dtype])
    with pytest.raises(Wrong):
        proof.judge(problem, expected, losses, step.get_state(), dtype)
