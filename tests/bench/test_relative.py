"""If these fail, runs are compared relative to something else than what the machine was like."""

import numpy as np
import pandas as pd
import pytest

from bench.relative import mix, relative


def _logs(random, weights, passes=20, blocks=5):
    """Three yardsticks that drift apart and a case that follows a mix of them, with timing noise on all."""
    drift = random.normal(0, 0.05, (passes, 1, 3)).repeat(blocks, axis=1).reshape(-1, 3)
    drift += np.linspace(0, 0.1, passes * blocks)[:, None]
    noise = random.normal(0, 0.01, (passes * blocks, 4))
    index = pd.MultiIndex.from_product([range(passes), range(blocks)], names=["pass", "block"])
    table = pd.DataFrame(drift + noise[:, :3], index, ["a", "b", "c"])
    return table.assign(case=drift @ weights + noise[:, 3])


@pytest.mark.parametrize("weights", [(1, 0, 0), (0, 0.4, 0.6), (0.5, 0.3, 0.2)])
def test_the_mix_that_a_case_follows_is_found(weights):
    logs = _logs(np.random.default_rng(0), np.array(weights))
    found, *_ = relative(logs, "case", ["a", "b", "c"])
    assert [found[name] for name in "abc"] == pytest.approx(weights, abs=0.1)


def test_weights_are_a_mix_whatever_is_asked():
    """Were they free, noise in the yardsticks would pull their sum below one and leave part of every drift in."""
    random = np.random.default_rng(1)
    for _ in range(50):
        weights = mix(random.normal(size=12), random.normal(size=(12, 3)))
        assert weights.min() >= 0
        assert weights.sum() == pytest.approx(1)


def test_nothing_that_differs_between_runs_flows_into_the_weights():
    logs = _logs(np.random.default_rng(2), np.array((0.2, 0.3, 0.5)))
    slower = logs.assign(case=logs["case"] + 0.5, a=logs["a"] - 1)
    assert relative(slower, "case", ["a", "b", "c"])[0] == pytest.approx(relative(logs, "case", ["a", "b", "c"])[0])


def test_relative_times_spread_less_than_times_do():
    logs = _logs(np.random.default_rng(3), np.array((0.2, 0.3, 0.5)))
    assert relative(logs, "case", ["a", "b", "c"])[2].error < relative(logs, "case", [])[2].error / 3


def test_without_yardsticks_times_stay_as_they_are():
    logs = _logs(np.random.default_rng(4), np.array((1, 0, 0)))
    weights, quickest, apart = relative(logs, "case", [])
    assert weights == {}
    assert quickest == apart
    assert apart.mean == pytest.approx(logs["case"].groupby("pass").min().mean())


def test_a_neighbour_that_disturbs_some_blocks_of_each_process_is_no_difference():
    random = np.random.default_rng(5)
    logs = _logs(random, np.array((0.2, 0.3, 0.5)))
    disturbed = logs + 0.5 * (random.random(logs.shape) < 0.4)
    calm, busy = (relative(one, "case", ["a", "b", "c"])[1].mean for one in (logs, disturbed))
    assert busy == pytest.approx(calm, abs=0.02)


def test_a_yardstick_that_misses_blocks_is_left_out_and_costs_no_process():
    logs = _logs(np.random.default_rng(6), np.array((0.2, 0.3, 0.5)))
    logs.loc[logs.index[5:], "b"] = np.nan
    weights, quickest, apart = relative(logs, "case", ["a", "b", "c"])
    assert set(weights) == {"a", "c"}
    assert quickest == relative(logs, "case", [])[1]
    assert apart.freedom == 19
