"""If these fail, runs are compared relative to something else than what the machine was like."""

import numpy as np
import pandas as pd
import pytest

from bench.analyse.relative import quiet, relative
from bench.record.frame import Singles


def _drifting(passes=20):
    """A case and three yardsticks that drift alike, with timing noise on each: a row per pass."""
    random = np.random.default_rng(0)
    drift = np.linspace(0, 0.1, passes) + random.normal(0, 0.05, passes)
    return pd.DataFrame(random.normal(0, 0.005, (passes, 4)) + drift[:, None], columns=["case", "a", "b", "c"])


def test_what_slows_all_alike_goes_out():
    logs = _drifting()
    names, apart = relative({}, logs, "case", ["a", "b", "c"])
    assert names == ["a", "b", "c"]
    assert apart.mean == pytest.approx((logs["case"] - logs[["a", "b", "c"]].mean(axis=1)).mean())
    assert apart.error < relative({}, logs, "case", [])[1].error / 5


def test_without_yardsticks_times_stay_as_they_are():
    logs = _drifting()
    names, apart = relative({}, logs, "case", [])
    assert names == []
    assert apart.mean == pytest.approx(logs["case"].mean())


def test_a_yardstick_that_misses_processes_is_left_out_and_costs_none():
    logs = _drifting()
    logs.loc[5:, "b"] = np.nan
    names, apart = relative({}, logs, "case", ["a", "b", "c"])
    assert names == ["a", "c"]
    assert apart.freedom == 19


def test_single_steps_count_where_they_were_timed():
    """Half of the rounds are disturbed twofold, all of them in the case alone; its undisturbed steps do not know of it."""
    random = np.random.default_rng(1)
    steps = {name: random.normal(1, 0.01, (10, 100)) for name in ("case", "a")}
    steps["case"][:, ::2] *= 2
    timed = {name: Singles(dict(enumerate(each)), True) for name, each in steps.items()}
    logs = pd.DataFrame({name: np.log(each.mean(axis=1)) for name, each in steps.items()})
    assert abs(relative(timed, logs, "case", ["a"])[1].mean) < 0.01
    assert relative({}, logs, "case", ["a"])[1].mean > 0.3


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
