"""If these fail, a sweep tells an overhead, a rate or a crossover that its times do not hold."""

import numpy as np
import pandas as pd
import pytest

from backends.api import step_flops
from bench.analyse.scaling import fit, scale

NS = (1, 4, 16, 64, 256, 1024, 4096)


def _rounds(lines, passes=10, noise=0.01, seed=0):
    """Rounds of backends whose times are overhead + operations / rate, with noise per process."""
    random = np.random.default_rng(seed)
    rows = []
    for backend, (overhead, rate) in lines.items():
        for number in range(passes):
            for N in NS:
                seconds = (overhead + step_flops(N, 1000, 100, 10) / rate) * np.exp(random.normal(0, noise))
                rows.append(
                    {
                        "backend": backend, "device": "cpu", "dtype": "float32", "threads": 1, "side": "", "N": N, "D_in": 1000,
                        "H": 100, "D_out": 10, "pass": number, "mode": "throughput", "status": "ok", "kind": "seed",
                        "seconds_per_step": seconds,
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


def test_overhead_and_rate_are_found_within_their_intervals():
    found = scale(_rounds({"a": (20e-6, 100e9), "b": (100e-6, 300e9)}), "a").fits.set_index("backend")
    assert found.loc["a", "overhead_seconds"] == pytest.approx(20e-6, rel=0.05)
    assert found.loc["b", "flop_per_second"] == pytest.approx(300e9, rel=0.02)
    assert found.loc["b", "half_performance_flop"] == pytest.approx(100e-6 * 300e9, rel=0.05)
    for name in ("overhead_seconds", "flop_per_second", "half_performance_flop"):
        assert (found[f"{name}_low"] < found[name]).all()
        assert (found[name] < found[f"{name}_high"]).all()
    assert found["worst_residual"].abs().max() < 0.03


def test_a_line_that_is_none_shows_it():
    """Cache effects bend a line; the residual has to say so."""
    rounds = _rounds({"a": (20e-6, 100e9)})
    rounds.loc[rounds["N"] >= 1024, "seconds_per_step"] *= 1.5
    assert abs(scale(rounds, "a").fits["worst_residual"][0]) > 0.1


def test_neither_term_is_negative():
    flops = np.array([1e6, 1e7, 1e8])
    assert fit(flops, flops / 1e11) == (pytest.approx(0, abs=1e-9), pytest.approx(1e-11))
    assert fit(flops, np.full(3, 1e-5))[1] == pytest.approx(0, abs=1e-16)


def test_the_crossover_lies_where_the_lines_meet():
    rounds = _rounds({"base": (10e-6, 100e9), "late": (100e-6, 300e9)})
    (crossing,) = scale(rounds, "base").crossings.to_dict("records")
    truth = 90e-6 / (1 / 100e9 - 1 / 300e9)
    assert crossing["flops_low"] < truth < crossing["flops_high"] or crossing["flops"] == pytest.approx(truth, rel=0.15)
    assert (crossing["backend"], crossing["than"], crossing["faster"]) == ("late", "base", "above")


def test_what_noise_cannot_tell_apart_does_not_cross():
    """Two equal lines change places from point to point; none of that is a crossover."""
    assert scale(_rounds({"base": (10e-6, 100e9), "same": (10e-6, 100e9)}), "base").crossings.empty


def test_lines_that_do_not_meet_have_no_crossover():
    assert scale(_rounds({"base": (10e-6, 100e9), "slow": (20e-6, 90e9)}), "base").crossings.empty


def test_two_shapes_are_no_line():
    rounds = _rounds({"a": (20e-6, 100e9)})
    assert scale(rounds[rounds["N"] < 16], "a").fits.empty
