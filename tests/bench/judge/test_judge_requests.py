"""If these fail, a step could know a question beforehand, or a wrong step could pass."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from backends.api import DTYPES, weights_dtype
from backends.numpy_manual import NumpyManual
from bench.errors import UsageError, Wrong
from bench.paths import BACKENDS
from bench.worker import gate
from tests.proving import answers, judge_of

SHAPE = "7x13x5x3"


@pytest.fixture(scope="module")
def judge():
    return judge_of(BACKENDS)


def _round(judge, name, steps=2, every=1, dtype="float32"):
    """What the judge gives to a round of that name, and its nonce."""
    draw = {"name": name, "shape": SHAPE, "dtype": dtype, "steps": steps, "every": every, "proven": True}
    (nonce,) = judge.draw([[draw]])["nonces"]
    return judge.questions[name][0], nonce


def _right(question):
    """Losses and state of a step that is right but for its dtype."""
    exact, held = question.exact, weights_dtype(question.dtype)
    losses = exact.losses[question.every - 1 :: question.every]
    return [losses, *(array.astype(held) for array in exact.state)]


def test_rounds_start_from_states_that_no_other_round_had_on_the_data_that_is_timed(judge):
    drawn = [_round(judge, name) for name in ("a", "a", "b")]
    assert len({nonce for _, nonce in drawn}) == 3
    starts = {question.start[0].tobytes() for question, _ in drawn}
    assert len(starts) == 3
    assert {id(question.problem) for question, _ in drawn} == {id(drawn[0][0].problem)}
    timed = judge.timed_problem(SHAPE, "float32")
    assert timed.state["w1"].tobytes() not in starts
    for question, nonce in drawn[:2]:
        again = judge.round(nonce, "a", SHAPE, "float32", 2, 1, True)
        assert [a.tolist() for a in again.start] == [a.tolist() for a in question.start]


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_state_is_given_in_the_dtype_that_it_is_held_in_and_exact_in_it(dtype, judge):
    question, _ = _round(judge, "a", dtype=dtype)
    assert [array.dtype.name for array in question.given] == [weights_dtype(dtype)] * 2
    for given, start in zip(question.given, question.start, strict=True):
        assert np.array_equal(given, start)


def test_each_array_of_an_answer_is_compared(judge):
    question, _ = _round(judge, "a")
    right = _right(question)
    assert judge.judged("a", right)["errors"]["share"] < 1
    for number, value in product(range(3), (0.1, np.nan, np.inf)):
        wrong = [array.copy() for array in right]
        wrong[number].flat[0] += value
        with pytest.raises(Wrong), np.errstate(invalid="ignore"):
            judge.judged("a", wrong)
    with pytest.raises(Wrong, match="answers with 2 arrays, expected 3"):
        judge.judged("a", right[:2])


@pytest.mark.parametrize(
    ("every", "number", "right"), [(1, 10, True), (1, 11, False), (5, 2, True), (5, 3, False), (1, 0, False)]
)
def test_as_many_losses_are_reported_as_there_were_calls_at_most(every, number, right, judge):
    question, _ = _round(judge, "a", 10, every)
    losses, *state = _right(question)
    losses = np.resize(losses, number)
    if right:
        assert judge.judged("a", [losses, *state])["errors"]["arrays"]["loss"] == 0
    else:
        with pytest.raises(Wrong, match=rf"reports losses of shape \({number},\) after 10 steps"):
            judge.judged("a", [losses, *state])


@pytest.mark.parametrize("change", [lambda w: w[:1], lambda w: w.astype("float64")])
def test_arrays_of_another_shape_or_dtype_are_named(change, judge):
    losses, w1, w2 = _right(_round(judge, "a")[0])
    with pytest.raises(Wrong, match=r"^hands out w2 as float.*, expected float32 \(5, 3\)$"):
        judge.judged("a", [losses, w1, change(w2)])


@pytest.mark.parametrize(("every", "calls"), [(1, 10), (2, 5), (3, 3), (10, 2)])
def test_a_proof_asks_for_ten_steps_and_for_two_calls_at_least(every, calls, judge):
    class Several(NumpyManual):
        steps_per_call = every

        def step(self):
            return [super(Several, self).step() for _ in range(every)][-1]

    asked = judge.prove(SHAPE, "float32", every, 0)
    assert asked["calls"] == calls
    turns = judge.turns(SHAPE, "float32", every)
    for take, question in ((gate.prove, asked), (gate.take_turns, turns)):
        assert judge.judged(question["name"], answers(take, Several, question))["errors"]["share"] < 1


@pytest.mark.parametrize("spoilt", range(6))
def test_each_array_of_both_turns_is_compared(spoilt, judge):
    asked = judge.turns(SHAPE, "float32", 1)
    given = answers(gate.take_turns, NumpyManual, asked)
    given[spoilt] = given[spoilt] * np.float32(1.01)
    with pytest.raises(Wrong, match="^shares state between two instances"):
        judge.judged(asked["name"], given)


@pytest.mark.parametrize("number", range(4))
def test_every_question_of_a_proof_moves_every_array(number, judge):
    """A third of the problems of one sample and one hidden unit have no gradient."""
    nonces = set()
    for _ in range(10):
        judge.forget()
        asked = judge.prove(SHAPE, "float32", 1, number)
        nonces.add(asked["nonce"])
        for question in judge.questions[asked["name"]]:
            pairs = zip(question.start, question.exact.state, strict=True)
            assert all(np.any(before != after) for before, after in pairs)
    assert len(nonces) == 10


@pytest.mark.parametrize("ask", ["prove", "turns"])
def test_the_cases_of_a_pass_share_their_questions_and_the_next_pass_has_others(ask, judge):
    about = [SHAPE, "float32", 1, *([0] if ask == "prove" else [])]
    first, again = (getattr(judge, ask)(*about)["arrays"] for _ in range(2))
    judge.forget()
    for one, same, other in zip(first, again, getattr(judge, ask)(*about)["arrays"], strict=True):
        assert np.array_equal(one, same)
        assert not np.array_equal(one, other)


def test_a_problem_whose_state_never_moves_is_refused(judge):
    still = replace(judge.timed_problem(SHAPE, "float32"), constants={"learning_rate": 0.0})
    with pytest.raises(UsageError, match="leave an array of the state as it was in 100 problems"):
        judge.question("seed", SHAPE, "float32", 1, 1, None, still)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", ["64x1000x100x10", "5x2000x3x2"])
def test_arithmetic_in_the_next_lower_precision_is_wrong_and_rounding_is_right(dtype, shape, judge):
    asked = judge.prove(shape, dtype, 1, 0)
    right = answers(gate.prove, NumpyManual, asked, dtype=dtype)
    assert judge.judged(asked["name"], right)["errors"]["share"] < 1

    class Lower(NumpyManual):
        def step(self):
            loss = super().step()
            lower = {"float32": "float16", "float64": "float32"}[dtype]
            self.w2 = self.w2.astype(lower).astype(dtype)
            return loss

    with pytest.raises(Wrong):
        judge.judged(asked["name"], answers(gate.prove, Lower, asked, dtype=dtype))
