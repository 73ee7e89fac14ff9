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


def _limits(rows):
    table = pd.DataFrame([{**row, "flops": flops, "bytes": moved} for row, (flops, moved) in rows])
    return roofline.add(table).set_index("backend")


STEP = (_row("step", "seed", 4e-3), (1_000_000, 1_000))
GEMM = (_row("gemm", "ceiling", 1e-3), (500_000, 0))
COPY = (_row("copy", "ceiling", 1e-3), (0, 10_000))
NULL = (_row("null", "control", 1e-4), (0, 0))


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
