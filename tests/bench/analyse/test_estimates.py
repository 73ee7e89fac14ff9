"""If these fail, a row's estimate is not what its rounds say."""

import math

import numpy as np
import pandas as pd
import pytest

from bench.analyse import estimates
from bench.analyse.verdicts import Estimate


def _rounds(mode, seconds, *, faults=0.0, steps=10, errors=(1e-7, 2e-7, 3e-7, 0.0), case="x"):
    """A row per pass and block, from seconds per step of this shape."""
    rows = [
        {
            "mode": mode, "case": case, "pass": number, "block": block, "steps": steps, "seconds_per_step": value,
            "minor_faults": faults, **dict(zip(estimates.ERRORS, errors, strict=True)),
        }
        for (number, block), value in np.ndenumerate(np.array(seconds, float))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_an_interval_is_of_logarithms():
    logs = np.log([1.0, 2.0, 4.0])
    low, high = Estimate.of(logs).interval()
    found = estimates.with_interval("ratio", Estimate.of(logs))
    assert found == pytest.approx({"ratio": 2.0, "ratio_low": math.exp(low), "ratio_high": math.exp(high)})
    alone = estimates.with_interval("x", Estimate.of(np.log([3.0])))
    assert alone == pytest.approx({"x": 3.0, "x_low": math.nan, "x_high": math.nan}, nan_ok=True)


def test_each_mode_is_the_geometric_mean_over_passes_of_the_median_over_blocks():
    rounds = pd.concat(
        [
            _rounds("throughput", [[1, 2, 9], [8, 8, 1]], faults=5),
            _rounds("latency", [[3, 3, 3], [3, 3, 3]], faults=math.nan),
            _rounds("dispatch", [[0.5, 0.5, 9], [2, 2, 2]], faults=math.nan),
            _rounds("device", [[5, 5, 5], [5, 5, 5]], faults=math.nan),
        ]
    )
    found = estimates.times(rounds)
    assert found["seconds_per_step"] == pytest.approx(4.0)
    assert found["latency_seconds_per_step"] == pytest.approx(3.0)
    assert found["dispatch_seconds_per_step"] == pytest.approx(1.0)
    assert found["device_seconds_per_step"] == pytest.approx(5.0)
    assert found["seconds_per_step_low"] < 4 < found["seconds_per_step_high"]
    assert found["minor_faults_per_step"] == 0.5
    assert found["relative_error"] == pytest.approx(math.log(8 / 2) / 2), "of the throughput"
    assert len(found) == 4 * 3 + 2


def test_page_faults_are_those_of_the_throughput_rounds_over_their_steps():
    rounds = pd.concat(
        [_rounds("throughput", [[1]], faults=6, steps=10), _rounds("throughput", [[1]], faults=0, steps=30)]
    )
    also = pd.concat([rounds, _rounds("latency", [[1]], faults=1000, steps=10)])
    assert estimates.times(also)["minor_faults_per_step"] == pytest.approx(6 / 40)


def _visit(counts, steps=20, longer=40, case="a"):
    return {"case": case, "steps": steps, "outside": {"audit_steps": longer} if longer else {}, "counts": counts}


def test_hardware_events_are_what_further_steps_add_the_median_over_visits():
    visits = [
        _visit({"instructions": [1000 + 20 * 50, 1000 + 40 * 50], "cycles": [900, 700]}),
        _visit({"instructions": [7000 + 20 * 60, 7000 + 10 * 60]}, longer=10),
        _visit({"instructions": [20 * 90, 40 * 90]}),
        _visit({"instructions": [1, 2]}, case="b"),
        _visit({"instructions": [10**9, 10**9]}, longer=None),
        {"case": "a", "steps": 20},
    ]
    assert estimates.counts(visits) == {
        "a": {"instructions_per_step": 60.0, "cycles_per_step": 0.0}, "b": {"instructions_per_step": 0.05},
    }  # fmt: skip


def test_the_first_step_is_the_median_over_processes():
    assert estimates.first_step([{"first_step_seconds": value} for value in (9.0, 1.0, 2.0)]) == {"first_step_seconds": 2.0}
    assert math.isnan(estimates.first_step([])["first_step_seconds"])


def _open(loss, w1, w2, kinks):
    return {"errors": {"loss": loss, "w1": w1, "w2": w2, "kinks": kinks}}


PROVEN = {"proven": True}


def test_the_worst_errors_are_those_of_rounds_and_proofs():
    rounds = pd.concat(
        [
            _rounds("throughput", [[1]], errors=(5.0, 1.0, 1.0, 0.0)),
            _rounds("latency", [[1]], errors=(99.0, 99.0, 99.0, 0.0)),
            _rounds("throughput", [[1]], errors=(1.0, 1.0, 7.0, 0.0)),
        ]
    )
    found = estimates.worst_errors(PROVEN, rounds, [_open(2.0, 6.0, 2.0, 0)])
    assert found == {"error_loss": 5.0, "error_w1": 6.0, "error_w2": 7.0, "kinks": 0.0}
    assert estimates.worst_errors({"proven": False}, rounds, [{"errors": None}]) == {}


def test_comparisons_that_allowed_for_kinks_are_counted_and_told_only_where_there_are_no_others():
    rounds = _rounds("throughput", [[1, 1]], errors=(9.0, 9.0, 9.0, 2.0))
    alone = estimates.worst_errors(PROVEN, rounds, [_open(8.0, 8.0, 8.0, 1)])
    assert alone == {"error_loss": 9.0, "error_w1": 9.0, "error_w2": 9.0, "kinks": 5.0}
    beside = estimates.worst_errors(PROVEN, rounds, [_open(1.0, 2.0, 3.0, 0), _open(8.0, 8.0, 8.0, 1)])
    assert beside == {"error_loss": 1.0, "error_w1": 2.0, "error_w2": 3.0, "kinks": 5.0}


def test_without_any_comparison_no_error_is_known():
    found = estimates.worst_errors(PROVEN, _rounds("latency", [[1]]), [])
    assert [*found] == ["error_loss", "error_w1", "error_w2", "kinks"]
    assert all(math.isnan(found[name]) for name in ("error_loss", "error_w1", "error_w2"))


def test_logarithms_of_throughput_stand_by_pass_and_block():
    rounds = pd.concat(
        [
            _rounds("throughput", [[1, 2], [3, 4]], case="a"),
            _rounds("throughput", [[5, 6], [7, 8]], case="b"),
            _rounds("latency", [[9, 9], [9, 9]], case="a"),
        ]
    )
    found = estimates.log_blocks(rounds)
    assert np.exp(found["a"]).tolist() == pytest.approx([1, 2, 3, 4])
    assert np.exp(found["b"]).tolist() == pytest.approx([5, 6, 7, 8])
    assert [*found.index] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert [*found.index.names] == ["pass", "block"]


def test_a_ratio_is_taken_inside_each_block_and_its_median_in_each_process():
    index = pd.MultiIndex.from_product([[0, 1], [0, 1, 2]], names=["pass", "block"])
    logs = pd.DataFrame({"a": [1.0, 2, 9, 4, 5, math.nan], "b": [0.0, 0, 1, 1, 0, 0], "c": 0.0}, index)
    assert estimates.log_ratios(logs, "a", "b").tolist() == [2.0, 4.0]
    assert estimates.log_ratios(logs, "a", "c").tolist() == [2.0, 4.5]
    assert estimates.log_ratios(logs, "a", "absent").tolist() == []
    assert estimates.log_ratios(logs, "a", None).size == 0
