"""If these fail, a step could know a question beforehand, or is compared with another one's answer."""

from dataclasses import replace

import numpy as np
import pytest

from backends import reference
from backends.api import steady_learning_rate
from backends.numpy_manual import NumpyManual
from bench.errors import Wrong
from bench.judge import proof, questions
from bench.judge.questions import SHAPES, Proof, Round, Turns
from bench.schema.case import Case, Shape

SHAPE = SHAPES[1]
CASE = Case("any", "cpu", "float32", 1, SHAPE)


def _same(a, b):
    return [array.tolist() for array in a] == [array.tolist() for array in b]


def _differ(a, b):
    return not any(np.array_equal(*pair) for pair in zip(a, b, strict=True))


def _solved(asked, every=1):
    """What a right step answers to a proof: losses and weights after the first call, and after the others."""
    answers = []
    for each in asked.rounds:
        losses = each.expected.losses[every - 1 :: every]
        answers += [losses, *(w.astype("float32") for w in (each.expected.w1, each.expected.w2))]
    return answers


def test_a_round_starts_from_weights_of_its_own_on_the_data_that_is_timed():
    asked = (("n", "a"), ("n", "a"), ("m", "a"), ("n", "b"))
    one, again, other, renamed = (
        Round.draw(CASE, 3, nonce, name, 2, True) for nonce, name in asked
    )
    assert _same(one.start, again.start)
    assert _differ(one.start, other.start)
    assert _differ(one.start, renamed.start)
    assert one.problem is other.problem
    assert _same([one.problem.x, one.problem.y], [CASE.problem(3).x, CASE.problem(3).y])
    assert _differ(one.start, (one.problem.w1, one.problem.w2))
    assert [w.shape for w in one.start] == [(13, 5), (5, 3)]


def test_a_round_expects_what_the_reference_does_from_there():
    asked = Round.draw(CASE, 0, "nonce", "a", 5, True)
    expected = reference.train(asked.problem, 5, asked.start)
    assert _same(
        [expected.losses, expected.w1, expected.w2],
        [asked.expected.losses, asked.expected.w1, asked.expected.w2],
    )
    assert Round.draw(CASE, 0, "nonce", "a", 5, False).expected is None


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_which_units_are_undecided_depends_on_the_dtype_that_is_asked_for(dtype):
    case = replace(CASE, dtype=dtype, shape=Shape(64, 1000, 100, 10))
    asked = Round.draw(case, 0, "nonce", "a", 1, True)
    margin = proof.KINK_MARGIN[dtype]
    expected = reference.train(asked.problem, 1, asked.start, kink_margin=margin).undecided
    assert np.array_equal(asked.expected.undecided, expected)
    assert expected.any() == (dtype == "bfloat16")


@pytest.mark.parametrize(
    ("dtype", "held"), [("float32", "float32"), ("float64", "float64"), ("bfloat16", "float32")]
)
def test_the_start_is_given_in_the_dtype_that_weights_are_held_in(dtype, held):
    asked = Round.draw(replace(CASE, dtype=dtype), 0, "nonce", "a", 1, False)
    assert [w.dtype.name for w in asked.given] == [held, held]
    assert _same(asked.given, [w.astype(held) for w in asked.start])


@pytest.mark.parametrize(
    "change", [{"backend": "other"}, {"device": "cuda"}, {"twin": True}, {"side": "new"}]
)
def test_backends_devices_and_sides_share_their_problem_and_are_asked_the_same(change):
    assert questions.timed(CASE, 1) is questions.timed(replace(CASE, **change), 1)
    assert questions.timed(CASE, 1) is not questions.timed(CASE, 2)
    assert questions.timed(CASE, 1) is not questions.timed(replace(CASE, shape=SHAPES[2]), 1)


@pytest.mark.parametrize(
    ("every", "number", "right"),
    [(1, 10, True), (1, 11, False), (5, 2, True), (5, 3, False), (1, 0, False)],
)
def test_as_many_losses_are_handed_out_as_there_were_calls_at_most(every, number, right):
    asked = Round.draw(CASE, 0, "nonce", "a", 10, True)
    losses = asked.expected.losses[every - 1 :: every][10 // every - number if right else 0 :]
    losses = np.resize(losses, number)
    weights = asked.expected.w1.astype("float32"), asked.expected.w2.astype("float32")
    if right:
        assert asked.judge(losses, weights, every).loss == 0
        with pytest.raises(Wrong, match="computes a wrong loss"):
            asked.judge(np.full(number, np.nan), weights, every)
    else:
        with pytest.raises(Wrong, match=rf"losses of shape \({number},\) after 10 steps"):
            asked.judge(losses, weights, every)


@pytest.mark.parametrize(("steps_per_call", "calls"), [(1, 10), (2, 5), (3, 3), (4, 2), (10, 2)])
def test_a_proof_asks_for_ten_steps_and_for_two_calls_at_least(steps_per_call, calls):
    asked = Proof(SHAPE, "float32", steps_per_call, "nonce", "a")
    assert asked.calls == calls
    assert [len(each.expected.losses) for each in asked.rounds] == [
        steps_per_call,
        calls * steps_per_call,
    ]
    assert asked.judge(_solved(asked, steps_per_call)).as_tuple() < (1e-6,) * 3


def test_a_proof_gives_its_problem_and_other_weights_to_go_on_from():
    asked = Proof(SHAPE, "float32", 1, "nonce", "a")
    x, y, w1, w2, rate, *others = asked.given
    assert _same(
        (x, y, w1, w2), (asked.problem.x, asked.problem.y, asked.problem.w1, asked.problem.w2)
    )
    assert rate.tolist() == [asked.problem.learning_rate] == [steady_learning_rate(*SHAPE)]
    assert _same(asked.rounds[0].start, (w1, w2))
    assert _same(others, asked.rounds[1].given)
    assert _differ(others, (w1, w2))
    assert [(each.dtype, each.problem is asked.problem) for each in asked.rounds] == [
        ("float32", True)
    ] * 2
    assert x.shape + w2.shape == tuple(SHAPE)


@pytest.mark.parametrize("spoilt", range(6))
def test_each_array_of_an_answer_is_judged(spoilt):
    """An answer that is right but for one of its six arrays is wrong."""
    asked = Proof(SHAPE, "float32", 1, "nonce", "a")
    answers = _solved(asked)
    assert max(asked.judge(answers).as_tuple()) < 1e-5
    answers[spoilt] = answers[spoilt] + np.float32(0.1)
    with pytest.raises(Wrong):
        asked.judge(answers)
    with pytest.raises(Wrong, match="answers with 5 arrays, expected 6"):
        asked.judge(answers[:5])


def _turned(asked, every=1):
    answers = []
    for each in asked.rounds:
        step = NumpyManual(each.problem, "cpu", each.dtype)
        losses = [step.step() for _ in range(len(each.expected.losses))]
        answers += [np.array(losses[every - 1 :: every], float), *step.get_weights()]
    return answers


@pytest.mark.parametrize("every", [1, 4])
def test_turns_are_two_problems_and_three_calls_of_each(every):
    asked = Turns("float32", every, "nonce")
    first, second = asked.problems
    assert _differ(questions.arrays(first)[:4], questions.arrays(second)[:4])
    assert first.shape == second.shape == tuple(SHAPES[0])
    assert _same(asked.given, [*questions.arrays(first), *questions.arrays(second)])
    assert [len(each.expected.losses) for each in asked.rounds] == [3 * every, 3 * every]
    assert [each.dtype for each in asked.rounds] == ["float32", "float32"]
    assert all(_same(each.start, (each.problem.w1, each.problem.w2)) for each in asked.rounds)
    again, other = Turns("float32", every, "nonce"), Turns("float32", every, "another")
    assert _same(asked.given, again.given)
    assert _differ(asked.given[:4], other.given[:4])
    asked.judge(_turned(asked, every))


@pytest.mark.parametrize("spoilt", range(6))
def test_each_array_of_both_turns_is_judged(spoilt):
    asked = Turns("float32", 1, "nonce")
    answers = _turned(asked)
    answers[spoilt] = answers[spoilt] * np.float32(1.01)
    says = (
        "^shares state between two instances: each is right alone, and wrong when they take turns$"
    )
    with pytest.raises(Wrong, match=says):
        asked.judge(answers)
    with pytest.raises(Wrong, match="answers with 7 arrays, expected 6"):
        asked.judge([*answers, answers[0]])
