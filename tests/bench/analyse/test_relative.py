"""If these fail, runs are compared relative to something else than what the machine was like."""

import numpy as np
import pandas as pd
import pytest

from bench.analyse.relative import mix, quiet, relative


def _processes(random, weights, passes=20):
    """Three yardsticks that drift apart and a case that follows a mix of them, with timing noise on all."""
    drift = random.normal(0, 0.05, (passes, 3)) + np.linspace(0, 0.1, passes)[:, None]
    noise = random.normal(0, 0.005, (passes, 4))
    table = pd.DataFrame(drift + noise[:, :3], pd.RangeIndex(passes, name="pass"), ["a", "b", "c"])
    return table.assign(case=drift @ weights + noise[:, 3])


@pytest.mark.parametrize("weights", [(1, 0, 0), (0, 0.4, 0.6), (0.5, 0.3, 0.2)])
def test_the_mix_that_a_case_follows_is_found(weights):
    logs = _processes(np.random.default_rng(0), np.array(weights))
    found, *_ = relative(logs, "case", ["a", "b", "c"])
    assert [found[name] for name in "abc"] == pytest.approx(weights, abs=0.15)


def test_weights_are_a_mix_whatever_is_asked():
    """Were they free, noise in the yardsticks would pull their sum below one and leave part of every drift in."""
    random = np.random.default_rng(1)
    for _ in range(50):
        weights = mix(random.normal(size=12), random.normal(size=(12, 3)))
        assert weights.min() >= 0
        assert weights.sum() == pytest.approx(1)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("seed", range(5))
def test_two_weights_are_those_of_least_squares_under_the_condition_that_they_sum_to_one(scale, seed):
    """Then one is a regression of what parts the case from the second yardstick on what parts the first from it."""
    random = np.random.default_rng(seed)
    first, second, noise = scale * random.normal(size=(3, 12))
    case = 0.4 * first + 0.5 * second + 0.1 * noise + 7
    apart, case_apart = first - second, case - second
    weight = np.cov(apart, case_apart)[0, 1] / np.var(apart, ddof=1)
    assert 0 < weight < 1
    assert mix(case, np.column_stack([first + 3, second])).tolist() == pytest.approx([weight, 1 - weight], rel=1e-4)


def test_nothing_that_differs_between_runs_flows_into_the_weights():
    logs = _processes(np.random.default_rng(2), np.array((0.2, 0.3, 0.5)))
    slower = logs.assign(case=logs["case"] + 0.5, a=logs["a"] - 1)
    assert relative(slower, "case", ["a", "b", "c"])[0] == pytest.approx(relative(logs, "case", ["a", "b", "c"])[0])


def test_relative_times_spread_less_than_times_do():
    logs = _processes(np.random.default_rng(3), np.array((0.2, 0.3, 0.5)))
    assert relative(logs, "case", ["a", "b", "c"])[2].error < relative(logs, "case", [])[2].error / 3


def test_two_processes_are_enough_for_a_mix_and_one_is_not():
    logs = _processes(np.random.default_rng(7), np.array((1, 0, 0)), passes=2)
    assert sum(relative(logs, "case", ["a", "b"])[0].values()) == pytest.approx(1)
    assert relative(logs[:1], "case", ["a", "b"])[0] == {}


def test_without_yardsticks_times_stay_as_they_are():
    logs = _processes(np.random.default_rng(4), np.array((1, 0, 0)))
    weights, time, apart = relative(logs, "case", [])
    assert weights == {}
    assert time == apart
    assert apart.mean == pytest.approx(logs["case"].mean())


def test_a_yardstick_that_misses_processes_is_left_out_and_costs_none():
    logs = _processes(np.random.default_rng(6), np.array((0.2, 0.3, 0.5)))
    logs.loc[5:, "b"] = np.nan
    weights, time, apart = relative(logs, "case", ["a", "b", "c"])
    assert set(weights) == {"a", "c"}
    assert time == relative(logs, "case", [])[1]
    assert apart.freedom == 19


def _rounds(seconds, device="cpu"):
    """Rounds of one case from arrays (mode, pass, block)."""
    modes = ("throughput", "latency")
    rows = [
        {"mode": modes[m], "case": "x", "device": device, "pass": p, "block": b, "seconds_per_step": value}
        for (m, p, b), value in np.ndenumerate(seconds)
    ]
    return pd.DataFrame(rows)


def test_quiet_by_hand():
    """Of five blocks the two quickest of each mode, logs averaged."""
    seconds = np.exp([[[1.0, 9, 2, 9, 9]], [[9, 3, 9, 6, 9]]])
    assert quiet(_rounds(seconds))["x"].tolist() == pytest.approx([(1.5 + 4.5) / 2])
    assert quiet(_rounds(seconds, "cuda"))["x"].tolist() == pytest.approx([1.5]), "a GPU's latency is another thing"
    assert quiet(_rounds(np.exp([[[4.0]]])))["x"].tolist() == pytest.approx([4])
    assert quiet(_rounds(np.exp([[[5.0, 4, 6]]])))["x"].tolist() == pytest.approx([4])


def test_a_neighbour_that_disturbs_some_rounds_of_each_process_is_no_difference():
    random = np.random.default_rng(5)
    calm = np.exp(random.normal(0, 0.01, (2, 20, 5)))
    busy = calm * np.where(random.random(calm.shape) < 0.4, 1.5, 1)
    shift = float(quiet(_rounds(busy))["x"].mean() - quiet(_rounds(calm))["x"].mean())
    assert shift < 0.3 * np.log(busy / calm).mean()
