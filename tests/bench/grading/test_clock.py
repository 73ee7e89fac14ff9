"""The estimator on made spans."""

import math

import numpy as np
import pytest

from bench.grading.clock import BASELINE, GRADED, Spans

STEP, OVERHEAD = 2e-4, 1e-3


def made(random, ratio=1.0, passes=5, blocks=8, spread=0.0, neighbor=0.0):
    """Spans of 100 steps of 200 µs, in passes that differ by `spread`, beside a `neighbor` who
    lengthens half of the spans, and as often what they take besides their steps."""
    spans = Spans({GRADED: 100, BASELINE: 100}, {GRADED: {}, BASELINE: {}})
    for number in range(passes):
        for name, times in ((GRADED, ratio), (BASELINE, 1.0)):
            steps = 100 * times * STEP * math.exp(random.normal(0, spread))
            longer = random.exponential(neighbor, (2, blocks)) * (random.random((2, blocks)) < 0.5)
            besides = OVERHEAD * (1 + longer[0])
            spans.seconds[name][number] = list(steps * (1 + longer[1]) + besides)
            if name == BASELINE:
                spans.besides[number] = list(besides)
    return spans


def test_undisturbed_spans_give_the_step_without_what_a_span_takes_besides():
    seconds, ratio = made(np.random.default_rng(0), ratio=0.5).estimates()
    assert math.exp(seconds.mean) == pytest.approx(STEP / 2)
    assert math.exp(ratio.mean) == pytest.approx(0.5)


def test_spans_of_the_graded_step_do_not_change_what_is_subtracted():
    spans = made(np.random.default_rng(0))
    for each in spans.seconds[GRADED].values():
        each[:] = [2 * seconds for seconds in each]
    assert spans.overhead([*range(5)]) == pytest.approx(OVERHEAD)


def test_a_longer_span_never_lowers_the_number():
    spans = made(np.random.default_rng(1), spread=0.01, neighbor=0.05)
    before = spans.estimates()[0].mean
    for number in spans.seconds[GRADED]:
        spans.seconds[GRADED][number][0] *= 1.5
        now = spans.estimates()[0].mean
        assert now >= before
        before = now


@pytest.mark.parametrize(("passes", "neighbor"), [(5, 0.1), (10, 0.0)])
def test_intervals_hold_as_often_as_they_should(passes, neighbor):
    random, grades = np.random.default_rng(passes), 400
    made_grades = [made(random, 0.8, passes, spread=0.01, neighbor=neighbor) for _ in range(grades)]
    ratios = [spans.estimates()[1] for spans in made_grades]
    truth = np.mean([ratio.mean for ratio in ratios])
    held = [low <= truth <= high for low, high in (ratio.interval() for ratio in ratios)]
    assert 0.93 <= np.mean(held) <= 0.97
    assert math.exp(truth) == pytest.approx(0.8, rel=0.005)
