"""If these fail, looking often enough finds a difference that is not there, or none ever."""

import numpy as np
import pytest

from bench.analyse.sequential import decided, spent
from bench.analyse.verdicts import ALPHA, EQUAL, FASTER, SLOWER, UNDECIDED


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
    alarms = sum(
        any(verdict in (FASTER, SLOWER) for verdict, *_ in race.values())
        for race in _races(1500, 0, 0.02)
    )
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
