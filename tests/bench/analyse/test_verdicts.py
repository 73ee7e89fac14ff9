"""The instrument, tested as one: if these fail, a verdict is worth less than it says."""

import math

import numpy as np
import pytest
from scipy.special import stdtrit

from bench.analyse.verdicts import (
    ALPHA,
    EQUAL,
    FASTER,
    MARGIN,
    SLOWER,
    UNDECIDED,
    Estimate,
    decided,
    holm,
    more_data,
    spent,
    verdicts,
)

SPREAD, PROCESSES, ROWS = 0.01, 20, 5
ALLOWED = ALPHA + 3 * math.sqrt(ALPHA / 1000)


def _normal(random, n):
    return random.normal(0, SPREAD, n)


def _lognormal(random, n):
    sigma = 0.5
    return SPREAD * (random.lognormal(0, sigma, n) - math.exp(sigma**2 / 2))


def _bimodal(random, n):
    return random.choice([-SPREAD, SPREAD], n) + random.normal(0, SPREAD / 5, n)


def _quantised(random, n):
    return np.round(random.normal(0, SPREAD, n), 2)


def _one_outlier(random, n):
    """Some process of the table is slower or faster by five spreads."""
    found = random.normal(0, SPREAD, n)
    found[:, 0] += SPREAD * 5 * (random.random(n[0]) < 0.5) * random.choice([-1, 1], n[0])
    return found


def _drifting(random, n):
    """The machine slows down by two spreads; both sides of a ratio feel most of it."""
    return random.normal(0, SPREAD, n) + SPREAD * 0.2 * np.linspace(-1, 1, n[-1])


SHAPES = [_normal, _lognormal, _bimodal, _quantised, _one_outlier, _drifting]


def _called(rows, margin=0.0):
    found = verdicts([Estimate.of(row) for row in rows], margin=margin)
    return {verdict for verdict, _ in found} & {FASTER, SLOWER}


@pytest.mark.parametrize("shape", SHAPES)
def test_intervals_hold_and_at_most_one_table_in_a_hundred_raises_a_false_alarm(shape):
    random = np.random.default_rng(0)
    intervals = [Estimate.of(logs).interval() for logs in shape(random, (4000, PROCESSES))]
    assert 0.93 <= np.mean([low <= 0 <= high for low, high in intervals]) <= 0.97
    tables, size = 2000, (2000 * ROWS, PROCESSES)
    logs = (shape(random, size) - shape(random, size)).reshape(tables, ROWS, PROCESSES)
    assert sum(bool(_called(table)) for table in logs) / tables <= ALLOWED


@pytest.mark.parametrize(("slowdown", "power"), [(0.01, 0.10), (0.02, 0.95), (0.03, 0.99), (0.05, 1.0)])
def test_power(slowdown, power):
    """Two sides of 20 processes, each with the spread between processes that was measured, 1 %."""
    random, found = np.random.default_rng(3), 0
    for _ in range(1000):
        logs = random.normal(0, SPREAD * math.sqrt(2), (ROWS, PROCESSES))
        logs[-1] += math.log1p(slowdown)
        found += verdicts([Estimate.of(row) for row in logs])[-1][0] == SLOWER
    assert found / 1000 >= power


@pytest.mark.parametrize(
    ("mean", "error", "verdict"),
    [
        (0.2, 0.001, SLOWER), (-0.2, 0.001, FASTER), (0.0, 0.001, EQUAL), (0.005, 0.001, EQUAL),
        (0.009, 0.001, UNDECIDED), (0.02, 0.02, UNDECIDED), (0.0, 0.02, UNDECIDED),
        (math.log1p(MARGIN) * 0.99, 1e-9, EQUAL),
    ],
)  # fmt: skip
def test_what_each_verdict_means(mean, error, verdict):
    assert verdicts([Estimate(mean, error, 19)])[0][0] == verdict


@pytest.mark.parametrize("mean", [0.0, 0.004, 0.02, -0.05])
def test_what_would_decide_a_row_does(mean):
    """The error shrinks with the root of the data; a little less leaves the row undecided."""
    times = more_data(Estimate(mean, 0.03, 1e6), rows=3)
    assert times > 1
    for share, enough in ((1.01, True), (0.97, False)):
        row = Estimate(mean, 0.03 / math.sqrt(times * share), 1e6)
        others = [Estimate(0.0, 1.0, 1e6)] * 2
        assert (verdicts([row, *others])[0][0] != UNDECIDED) is enough


def test_how_much_more_data_at_the_ends():
    at_margin = math.log1p(MARGIN)
    assert more_data(Estimate(at_margin - 1e-12, 0.001, 19)) > 1e6
    assert more_data(Estimate(at_margin, 1e-3, 1e6)) < 1.01, "now it has to leave zero"
    assert more_data(Estimate(0.0, 0.001, 19), margin=0.0) == math.inf
    assert more_data(Estimate(0.02, 1e-6, 19)) == 1.0, "it is decided"
    assert more_data(Estimate(0.02, 0.03, 19)) < more_data(Estimate(0.02, 0.03, 19), rows=2)


@pytest.mark.parametrize(("sure", "verdict"), [(0.991, SLOWER), (0.989, UNDECIDED)])
@pytest.mark.parametrize("freedom", [3, 19, 1000])
def test_one_row_is_called_at_one_in_a_hundred(sure, verdict, freedom):
    """A difference that Student's t leaves to chance so rarely, on both sides."""
    error = 0.02 / float(stdtrit(freedom, (1 + sure) / 2))
    estimate = Estimate(0.02, error, freedom)
    assert estimate.p == Estimate(-0.02, error, freedom).p == pytest.approx(1 - sure)
    assert verdicts([estimate])[0][0] == verdict


def test_more_rows_ask_for_more_evidence():
    edge = Estimate(0.015, 0.005, 19)
    assert verdicts([edge])[0][0] == SLOWER
    assert verdicts([edge, *[Estimate(0.0, 0.005, 19)] * 9])[0][0] == UNDECIDED
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_few_processes_and_no_spread():
    assert Estimate.of([0.5]) == Estimate(0.5, math.inf, 1)
    assert Estimate.of([0.0, 2.0]) == Estimate(1.0, pytest.approx(1.0), 1)
    assert verdicts([Estimate.of([0.5])]) == [(UNDECIDED, 1.0)]
    still = [Estimate.of([each] * 3) for each in (0.5, 0.0)]
    assert [estimate.p for estimate in still] == [0.0, 1.0]
    assert [verdict for verdict, _ in verdicts(still)] == [SLOWER, EQUAL]


def test_looks_together_spend_the_level_and_no_more():
    assert sum(spent(look, 12, ALPHA) for look in range(1, 13)) == pytest.approx(ALPHA)
    assert spent(2, 12, ALPHA) < spent(12, 12, ALPHA)


def _races(number, shift, spread, runs=12):
    random = np.random.default_rng(0)
    for _ in range(number):
        logs = random.normal(0, spread, (3, runs))
        logs[0] += shift
        yield decided({str(row): list(of_row) for row, of_row in enumerate(logs)}, runs)


def test_equal_rows_are_called_different_in_one_table_of_a_hundred_at_most():
    """Spread wide, so that few end as EQUAL before."""
    alarms = sum(any(verdict in (FASTER, SLOWER) for verdict, *_ in race.values()) for race in _races(1500, 0, 0.02))
    assert alarms <= 1500 * ALPHA * 1.5


def test_a_true_difference_at_the_margin_is_rarely_called_equal():
    wrong = sum(race["0"][0] == EQUAL for race in _races(600, np.log1p(0.01), 0.005))
    assert wrong <= 600 * 0.05


def test_two_percent_are_found_and_the_sooner_the_larger():
    found, large = ([race["0"] for race in _races(200, by, 0.003)] for by in (0.02, 0.1))
    assert np.mean([verdict == SLOWER for verdict, *_ in found]) >= 0.95
    assert np.mean([runs for *_, runs in large]) < np.mean([runs for *_, runs in found]) < 9


def test_a_row_keeps_its_verdict_and_one_run_decides_nothing():
    logs = [0.1, 0.1001, 0.0999, 0.1, 0.1002, -0.5, -0.5]
    verdict, estimate, runs = decided({"a": logs}, 12)["a"]
    assert verdict == SLOWER
    assert runs <= 5
    assert estimate.mean == pytest.approx(0.1, abs=1e-3)
    assert [decided({"a": few}, 12)["a"][0] for few in ([], [0.1])] == [UNDECIDED] * 2


def test_a_race_of_more_rows_asks_for_more_evidence():
    """Two runs with a p-value of 0.004, at a last look of two that may use 0.0075."""
    logs = [0.1 + 0.00063, 0.1 - 0.00063]
    assert decided({"a": logs}, 2)["a"][0] == SLOWER
    assert decided({"a": logs, "b": [], "c": []}, 2)["a"][0] == UNDECIDED
