"""The estimator on made spans."""

import math

import numpy as np
import pytest

from bench.grading.clock import BASELINE, GRADED, LONG, SHORT, Spans

STEP, OVERHEAD = 2e-4, 1e-3


def made(random, ratio=1.0, passes=5, blocks=8, spread=0.0, neighbor=0.0):
    """Spans of steps that take 200 µs, in passes that differ by `spread`, beside a `neighbor` who
    lengthens half of the spans."""
    spans = Spans({GRADED: 100, BASELINE: 100})
    for number in range(passes):
        steps = {
            GRADED: ratio * STEP * math.exp(random.normal(0, spread)),
            BASELINE: STEP * math.exp(random.normal(0, spread)),
        }
        for name, length, count in (
            (GRADED, LONG, 100),
            (BASELINE, LONG, 100),
            (BASELINE, SHORT, 50),
        ):
            seconds = OVERHEAD + count * steps[name]
            disturbed = random.exponential(neighbor, blocks) * (random.random(blocks) < 0.5)
            spans.seconds.setdefault((name, length), {})[number] = list(seconds * (1 + disturbed))
    return spans


def test_undisturbed_spans_give_the_step_without_what_a_span_takes_besides():
    seconds, ratio = made(np.random.default_rng(0), ratio=0.5).estimates()
    assert math.exp(seconds.mean) == pytest.approx(STEP / 2)
    assert math.exp(ratio.mean) == pytest.approx(0.5)


def test_spans_of_the_graded_step_do_not_change_what_is_subtracted():
    spans = made(np.random.default_rng(0))
    before = spans.overhead([*range(5)])
    for each in spans.seconds[GRADED, LONG].values():
        each[:] = [2 * seconds for seconds in each]
    assert spans.overhead([*range(5)]) == before == pytest.approx(OVERHEAD)
    assert (GRADED, SHORT) not in spans.seconds


def test_a_longer_span_never_lowers_the_number():
    spans = made(np.random.default_rng(1), spread=0.01, neighbor=0.05)
    before = spans.estimates()[0].mean
    for number in spans.seconds[GRADED, LONG]:
        spans.seconds[GRADED, LONG][number][0] *= 1.5
        now = spans.estimates()[0].mean
        assert now >= before
        before = now


@pytest.mark.parametrize("passes", [5, 10])
@pytest.mark.parametrize("neighbor", [0.0, 0.1])
def test_intervals_hold_as_often_as_they_should(passes, neighbor):
    random, grades = np.random.default_rng(passes), 1000
    made_grades = [made(random, 0.8, passes, spread=0.01, neighbor=neighbor) for _ in range(grades)]
    ratios = [spans.estimates()[1] for spans in made_grades]
    truth = np.mean([ratio.mean for ratio in ratios])
    held = [low <= truth <= high for low, high in (ratio.interval() for ratio in ratios)]
    assert 0.93 <= np.mean(held) <= 0.97
    assert math.exp(truth) == pytest.approx(0.8, rel=0.005)
