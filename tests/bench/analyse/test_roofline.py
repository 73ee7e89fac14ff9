"""If these fail, a row's share of the limit is not what this machine leaves possible."""

import numpy as np
import pandas as pd
import pytest

from bench.analyse import roofline


def _row(backend, kind, seconds, device="cpu", dtype="float32", threads=1, ranks=1):
    return {
        "backend": backend, "kind": kind, "device": device, "dtype": dtype, "threads": threads, "seconds_per_step": seconds,
        "ranks": ranks,
    }  # fmt: skip


SHAPE = {"N": 64, "D_in": 1000, "H": 100, "D_out": 10}


def _bounds(*rows):
    """Of rows, each with its operations and bytes: a step's share of its bound, and what that rests on, by name."""
    table = pd.DataFrame([{"undisturbed_seconds_per_step": np.nan, "steps_per_call": 1, **SHAPE, **row, "flops": flops,
                           "bytes": moved} for row, (flops, moved) in rows])  # fmt: skip
    return roofline.add_bounds(table).set_index("backend")


def _limits(rows):
    table = pd.DataFrame([{**row, "flops": flops, "bytes": moved} for row, (flops, moved) in rows])
    return roofline.add(table).set_index("backend")


STEP = (_row("step", "seed", 4e-3), (1_000_000, 1_000))
GEMM = (_row("gemm", "ceiling", 1e-3), (500_000, 0))
COPY = (_row("copy", "ceiling", 1e-3), (0, 10_000))
NULL = (_row("null", "control", 1e-4), (0, 0))


PEAK = (_row("peak", "peak", 1e-3), (1_000_000, 0))


def test_a_measured_peak_bounds_and_what_was_seen_does_not():
    """A million operations a millisecond are 1 ms of the step's 4; a call that does nothing adds 0.1."""
    fast = (_row("fast", "rung", 0.5e-3), STEP[1])
    table = _bounds(STEP, GEMM, COPY, NULL, PEAK, fast)
    assert table.loc["step", "bound_seconds_per_step"] == pytest.approx(1.1e-3)
    assert table.loc["step", "bound_share"] == pytest.approx(1.1 / 4)
    assert table.loc["fast", "bound_share"] == pytest.approx(2.2), "a step that passes a bound has to be seen to"
    assert set(table["bound_by"].dropna()) == {"peak"}
    assert table.loc[["gemm", "copy", "null", "peak"], ["bound_share", "bound_by"]].isna().all().all()


def test_a_library_that_beats_the_peak_lifts_the_bound():
    faster = (_row("other", "ceiling", 0.1e-3), (500_000, 0))
    assert _bounds(STEP, PEAK, faster).loc["step", "bound_seconds_per_step"] == pytest.approx(0.2e-3)


def test_a_peak_is_a_threads_and_a_ceiling_that_of_all_of_them():
    two = [(row | {"threads": 2}, work) for row, work in (STEP, GEMM, PEAK)]
    assert _bounds(*two).loc["step", "bound_seconds_per_step"] == pytest.approx(0.5e-3)


def test_undisturbed_times_make_bound_and_share():
    calm = [(row | {"undisturbed_seconds_per_step": row["seconds_per_step"] / 2}, work) for row, work in (STEP, PEAK)]
    assert _bounds(*calm).loc["step", "bound_seconds_per_step"] == pytest.approx(0.5e-3)
    assert _bounds(*calm).loc["step", "bound_share"] == pytest.approx(0.25)


def test_without_a_peak_the_bound_is_the_best_that_was_seen():
    """Of anything: the product makes half a million operations a millisecond, the faster step a million in one."""
    fast, other = (_row("fast", "rung", 1e-3), STEP[1]), (_row("other", "seed", 4e-3), (2_000_000, 0))
    table = _bounds(STEP, GEMM, NULL, fast, other)
    assert table["bound_share"].dropna().to_dict() == pytest.approx({"step": 0.25, "fast": 1.0, "other": 2.1 / 4})
    assert set(table["bound_by"].dropna()) == {"best seen"}
    assert (_bounds(STEP, (_row("fast", "rung", 1e-3), STEP[1]), NULL)["bound_share"].dropna() <= 1).all()


@pytest.mark.parametrize("place", [{"device": "cuda"}, {"dtype": "float64"}, {"threads": 2}])
def test_a_peak_of_another_place_does_not_count(place):
    elsewhere = (_row("peak", "peak", 1e-3, **place), (1_000_000, 0))
    assert _bounds(STEP, elsewhere).loc["step", "bound_by"] == "best seen"


def test_the_bound_of_ranks_is_that_of_a_part():
    two = (STEP[0] | {"ranks": 2}, STEP[1])
    assert _bounds(two, PEAK, NULL).loc["step", "bound_seconds_per_step"] == pytest.approx(0.6e-3)
    fast = (_row("fast", "rung", 1e-3, ranks=2), STEP[1])
    assert _bounds(STEP, fast, NULL)["bound_share"].dropna().to_dict() == pytest.approx({"step": 2.1 / 4, "fast": 1.0})


def test_a_floor_is_shared_by_the_steps_of_a_call():
    ten = (STEP[0] | {"steps_per_call": 10}, STEP[1])
    assert _bounds(ten, PEAK, NULL).loc["step", "bound_seconds_per_step"] == pytest.approx(1.01e-3)


def test_traffic_bounds_what_is_as_large_as_what_the_peak_reads():
    """300 kB in 1 ms are 3.6 ms for a step that moves 1,066,560 B; of a smaller shape nobody knows in which cache it lies."""
    reads = (_row("reads", "peak", 1e-3), (0, 300_000))
    large, small = (1_000, 1_070_560), (1_000, 1_000_000)
    assert _bounds((STEP[0], large), PEAK, reads).loc["step", "bound_seconds_per_step"] == pytest.approx(1_070_560 / 300e6)
    narrow = (STEP[0] | {"H": 99}, small)
    assert _bounds(narrow, PEAK, reads).loc["step", "bound_seconds_per_step"] == pytest.approx(1e-6)


def test_a_step_without_a_time_has_no_bound_and_makes_none():
    failed = (_row("failed", "rung", np.nan), STEP[1])
    table = _bounds(STEP, failed, GEMM)
    assert np.isnan(table.loc["failed", "bound_share"])
    assert table.loc["step", "bound_share"] == pytest.approx(0.5)


def test_arithmetic_by_hand():
    """A million operations at half a million a millisecond are 2 ms, and a step that does nothing takes 0.1 ms."""
    table = _limits([STEP, GEMM, COPY, NULL])
    assert table.loc["step", "limit_seconds_per_step"] == pytest.approx(2.1e-3)
    assert table.loc["step", "limit_share"] == pytest.approx(2.1 / 4)
    assert table.loc["step", "flop_per_second"] == pytest.approx(250e6)
    assert table.loc["copy", "byte_per_second"] == pytest.approx(10e6)
    assert table.loc[["gemm", "copy", "null"], "limit_share"].isna().all()


def test_traffic_bounds_where_arithmetic_does_not():
    heavy = (STEP[0], (1_000, 30_000))
    assert _limits([heavy, GEMM, COPY])["limit_seconds_per_step"]["step"] == pytest.approx(3e-3)


def test_ranks_share_the_work_and_nothing_else():
    for ranks, work, limit in ((2, STEP[1], 1.1e-3), (4, STEP[1], 0.6e-3), (2, (1_000, 30_000), 1.6e-3)):
        table = _limits([(_row("step", "rung", 4e-3, ranks=ranks), work), GEMM, COPY, NULL])
        assert table.loc["step", "limit_seconds_per_step"] == pytest.approx(limit)


def test_the_best_ceiling_counts():
    faster = (_row("other", "ceiling", 0.5e-3), (500_000, 0))
    assert _limits([STEP, GEMM, faster])["limit_seconds_per_step"]["step"] == pytest.approx(1e-3)


@pytest.mark.parametrize("place", [{"device": "cuda"}, {"dtype": "float64"}, {"threads": 2}])
def test_a_ceiling_of_another_place_does_not_count(place):
    elsewhere = (_row("gemm", "ceiling", 1e-3, **place), (500_000, 0))
    assert np.isnan(_limits([STEP, elsewhere])["limit_share"]["step"])


def test_a_ceiling_without_a_time_is_none():
    assert np.isnan(_limits([STEP, (_row("gemm", "ceiling", np.nan), (500_000, 0))])["limit_share"]["step"])
