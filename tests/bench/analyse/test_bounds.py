"""If these fail, a row's share of its bound is not what this machine leaves possible."""

import numpy as np
import pandas as pd
import pytest

from bench.analyse.estimates import SWEEP, with_bounds


def _row(backend, kind, seconds, flops=0, moved=0, **changes):
    return {
        "backend": backend, "kind": kind, "seconds_per_step": seconds, "flops": flops,
        "bytes": moved, "device": "cpu", "dtype": "float32", "threads": 1, "steps_per_call": 1,
        "undisturbed_seconds_per_step": np.nan,
        **changes,
    }  # fmt: skip


def _add(*rows):
    return with_bounds(pd.DataFrame(rows)).set_index("backend")


def _bound(*rows):
    """That of the row `step`."""
    return _add(*rows).loc["step", "bound_seconds_per_step"]


STEP = _row("step", "seed", 4e-3, 1_000_000, 1_000)
PEAK = _row("peak", "peak", 1e-3, 1_000_000)
NULL = _row("null", "control", 1e-4)
GUARD = _row("guard", "guard", 1e-3, 5_000_000)


def test_a_measured_peak_bounds_and_what_was_seen_does_not():
    """A million operations a millisecond are 1 ms of the step's 4; an empty call adds 0.1."""
    fast = _row("fast", "rung", 0.5e-3, 1_000_000, 1_000)
    table = _add(STEP, PEAK, NULL, GUARD, fast)
    assert table.loc["step", "bound_seconds_per_step"] == pytest.approx(1.1e-3)
    assert table.loc["step", "bound_share"] == pytest.approx(1.1 / 4)
    assert table.loc["fast", "bound_share"] == pytest.approx(2.2), "a step may pass a bound"
    assert table.loc["step", "flop_per_second"] == pytest.approx(250e6)
    assert set(table["bound_by"].dropna()) == {"peak"}
    assert table.loc[["guard", "null", "peak"], ["bound_share", "bound_by"]].isna().all(axis=None)


def test_without_a_peak_the_bound_is_the_best_that_was_seen_of_any_step():
    """A million operations in a millisecond; two million of another step are two."""
    rows = (_row("fast", "rung", 1e-3, 1_000_000, 1_000), _row("other", "seed", 4e-3, 2_000_000))
    table = _add(STEP, GUARD, NULL, *rows)
    shares = {"step": 0.25, "fast": 1.0, "other": 2.1 / 4}
    assert table["bound_share"].dropna().to_dict() == pytest.approx(shares)
    assert set(table["bound_by"].dropna()) == {"best seen"}


@pytest.mark.parametrize("place", [{"device": "cuda"}, {"dtype": "float64"}, {"threads": 2}])
def test_a_peak_of_another_place_does_not_count(place):
    assert _add(STEP, PEAK | place).loc["step", "bound_by"] == "best seen"


def test_what_a_bound_consists_of():
    """A peak is a thread's; undisturbed times count; an empty call is shared by its steps."""
    two, calm = {"threads": 2}, {"undisturbed_seconds_per_step": 0.5e-3}
    assert _bound(STEP | two, PEAK | two) == pytest.approx(0.5e-3)
    assert _bound(STEP, PEAK | calm) == pytest.approx(0.5e-3)
    assert _bound(STEP | {"steps_per_call": 10}, PEAK, NULL) == pytest.approx(1.01e-3)
    table = _add(STEP | {"undisturbed_seconds_per_step": 2e-3}, PEAK)
    assert table.loc["step", "bound_share"] == pytest.approx(0.5)


def test_traffic_bounds_a_step_as_large_as_what_the_peak_reads():
    """300 kB in 1 ms; a smaller step may lie in a nearer cache."""
    reads = _row("reads", "peak", 1e-3, moved=300_000)
    large = _row("step", "seed", 4e-3, 1_000, 1_070_560)
    assert _bound(large, PEAK, reads) == pytest.approx(1_070_560 / 300e6)
    small = {"bytes": SWEEP - 1}
    assert _bound(large | small, PEAK, reads) == pytest.approx(1e-6)


def test_a_step_without_a_time_has_no_bound_and_makes_none():
    table = _add(STEP, _row("failed", "rung", np.nan, 1_000_000, 1_000))
    assert np.isnan(table.loc["failed", "bound_share"])
    assert table.loc["step", "bound_share"] == 1
