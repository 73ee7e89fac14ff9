"""If these fail, a row's estimate is not what its rounds say."""

import math

import numpy as np
import pandas as pd
import pytest

from bench.analyse import estimates
from bench.analyse.verdicts import Estimate

NAN = math.nan


def _rounds(mode, seconds, *, faults=NAN, steps=10, errors=(1e-7, 2e-7, 3e-7), case="x"):
    """A row per pass and block, from seconds per step of this shape."""
    about = dict(zip(estimates.ERRORS, errors, strict=True))
    about |= {"mode": mode, "case": case, "steps": steps, "minor_faults": faults}
    rows = np.ndenumerate(np.array(seconds, float))
    return pd.DataFrame(
        [{"pass": p, "block": b, "seconds_per_step": value, **about} for (p, b), value in rows]
    )


def test_an_interval_is_of_logarithms_and_students_t():
    """With one degree of freedom 12.7062 times a standard error of 0.5."""
    value, low, high = estimates.with_interval("x", Estimate.of([0.0, 1.0])).values()
    assert value == pytest.approx(np.exp(0.5))
    assert np.log([low, high]) == pytest.approx([0.5 - 6.3531, 0.5 + 6.3531], abs=1e-4)
    alone = estimates.with_interval("x", Estimate.of(np.log([3.0])))
    assert alone == pytest.approx({"x": 3.0, "x_low": NAN, "x_high": NAN}, nan_ok=True)


def test_each_mode_is_the_geometric_mean_over_passes_of_the_median_over_blocks():
    rounds = pd.concat(
        [
            _rounds("throughput", [[1, 2, 9], [8, 8, 1]], faults=5),
            _rounds("latency", [[3, 3, 3], [3, 3, 3]]),
            _rounds("dispatch", [[0.5, 0.5, 9], [2, 2, 2]]),
            _rounds("device", [[5, 5, 5], [5, 5, 5]]),
        ]
    )
    found = estimates.times(rounds)
    assert found["seconds_per_step_low"] < 4 < found["seconds_per_step_high"]
    assert {name: value for name, value in found.items() if not name.endswith(("low", "high"))} == {
        "seconds_per_step": pytest.approx(4.0),
        "latency_seconds_per_step": pytest.approx(3.0),
        "dispatch_seconds_per_step": pytest.approx(1.0),
        "device_seconds_per_step": pytest.approx(5.0),
        "minor_faults_per_step": 0.5,
        "relative_error": pytest.approx(math.log(8 / 2) / 2),
    }
    assert len(found) == 4 * 3 + 2


def test_page_faults_are_those_of_the_throughput_rounds_over_their_steps():
    rounds = [
        _rounds("throughput", [[1]], faults=6, steps=10),
        _rounds("throughput", [[1]], faults=0, steps=30),
        _rounds("latency", [[1]], faults=1000, steps=10),
    ]
    found = estimates.times(pd.concat(rounds))
    assert found["minor_faults_per_step"] == pytest.approx(6 / 40)


def test_the_worst_errors_are_those_of_rounds_and_proofs():
    rounds = pd.concat(
        [
            _rounds("throughput", [[1]], errors=(5.0, 1.0, 1.0)),
            _rounds("latency", [[1]], errors=(99.0, 99.0, 99.0)),
            _rounds("throughput", [[1]], errors=(1.0, 1.0, 7.0)),
        ]
    )
    arrays = {"w1": 6.0, "loss": 2.0, "w2": 3.0}
    opens = [{"errors": {"share": 2.0, "arrays": arrays}}]
    worst = estimates.worst_errors({"proven": True}, rounds, opens)
    assert worst == {"error_loss": 5.0, "error_state": 6.0, "error_share": 7.0}
    unknown = estimates.worst_errors({"proven": True}, _rounds("latency", [[1]]), [])
    assert np.isnan([*unknown.values()]).tolist() == [True] * 3
    assert estimates.worst_errors({"proven": False}, rounds, [{"errors": None}]) == {}


def test_a_ratio_is_taken_inside_each_block_and_its_median_in_each_process():
    index = pd.MultiIndex.from_product([[0, 1], [0, 1, 2]], names=["pass", "block"])
    logs = pd.DataFrame({"a": [1.0, 2, 9, 4, 5, NAN], "b": [0.0, 0, 1, 1, 0, 0], "c": 0.0}, index)
    assert estimates.log_ratios(logs, "a", "b").tolist() == [2.0, 4.0]
    assert estimates.log_ratios(logs, "a", "c").tolist() == [2.0, 4.5]
    assert estimates.log_ratios(logs, "a", "absent").tolist() == []
    assert estimates.log_ratios(logs, "a", None).size == 0
