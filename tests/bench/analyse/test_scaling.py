"""If these fail, a sweep shows an overhead, a rate or a crossover that its times do not hold."""

import numpy as np
import pandas as pd
import pytest

from bench.analyse.scaling import TOLERATED, fit
from bench.record.frame import Singles
from tests.made import FLOPS, NS, SHAPES, line, rounds, sweep

OVERHEAD, RATE = 50e-6, 100e9
LINE, LATE = line(10e-6, 100e9), line(100e-6, 300e9)
"""Cross at 13.5 MFLOP, between N=16 and N=64."""
MEASURES = ("overhead_seconds", "flop_per_second", "half_performance_flop")


def _fits(lines, *args, **options):
    return sweep(rounds(lines, *args, **options)).fits


def _fit(seconds, *args, **options):
    (row,) = _fits({"a": seconds}, *args, **options).to_dict("records")
    return row


def _crossings(made, singles=None):
    return sweep(made, "base", singles).crossings.to_dict("records")


def _held(fits, overhead, rate):
    """How often the intervals of lines that fit hold each truth."""
    fits = fits[fits["fits"]]
    return [
        ((fits[f"{name}_low"] <= value) & (value <= fits[f"{name}_high"])).mean()
        for name, value in zip(MEASURES, (overhead, rate, overhead * rate), strict=True)
    ]


def test_overhead_and_rate_are_found_within_their_intervals():
    found = _fits({"a": line(20e-6, 100e9), "b": line(100e-6, 300e9)}).set_index("backend")
    assert found.loc["a", "overhead_seconds"] == pytest.approx(20e-6, rel=0.05)
    assert found.loc["b", "flop_per_second"] == pytest.approx(300e9, rel=0.02)
    assert found.loc["b", "half_performance_flop"] == pytest.approx(100e-6 * 300e9, rel=0.05)
    for name in MEASURES:
        assert (found[f"{name}_low"] < found[name]).all()
        assert (found[name] < found[f"{name}_high"]).all()
    assert found["worst_residual"].abs().max() < 0.03


def test_where_single_steps_were_timed_a_line_is_that_of_undisturbed_ones():
    """Two of 50 steps are undisturbed; rounds are all off."""
    calm = line(60e-6, 100e9)
    steps = {f"a {N}": np.array([calm[N], calm[N], *[2 * calm[N]] * 48]) for N in NS}
    singles = {case: Singles(dict.fromkeys(range(5), each), True) for case, each in steps.items()}
    made = rounds({"a": line(20e-6, 100e9), "b": line(20e-6, 100e9)}, 5, 0.3)
    found, untimed = (sweep(made, "a", each) for each in (singles, {}))
    fits = found.fits.set_index("backend")
    assert fits.loc["a", "overhead_seconds"] == pytest.approx(60e-6)
    points = found.points[found.points["backend"] == "a"]
    assert [*points["seconds_per_step"]] == pytest.approx([calm[N] for N in NS])
    pd.testing.assert_series_equal(fits.loc["b"], untimed.fits.set_index("backend").loc["b"])


def test_a_line_is_crossed_by_what_both_have():
    """Undisturbed steps of one line say nothing next to the rounds of another."""
    made = rounds({"base": line(20e-6, 100e9), "other": line(24e-6, 100e9 / 1.2)}, 5, 0.01)
    calm = {f"{name} {N}": line(2e-6, 1e12)[N] for name in ("base", "other") for N in NS[3:]}

    def crossed(*names, rounds_of=""):
        singles = {
            case: Singles(dict.fromkeys(range(5), np.full(9, seconds)), name != rounds_of)
            for case, seconds in calm.items()
            if (name := case.split()[0]) in names
        }
        return [row["flops_low"] for row in _crossings(made, singles)]

    assert crossed("other") == crossed("base", "other") == []
    calm |= {
        f"other {N}": line(2e-6, 1e12)[N] * (1.05 if N > 256 else 0.95) for N in NS[3:]
    }
    assert crossed("base", "other") == [FLOPS[16], FLOPS[256]]
    assert crossed("base", "other", rounds_of="other") == []


@pytest.mark.parametrize("noise", [0.01, 0.04])
def test_of_a_true_line_95_of_100_intervals_hold_the_truth(noise):
    fits = _fits({f"made {n}": line(OVERHEAD, RATE) for n in range(200)}, 5, noise)
    assert fits["fits"].all()
    assert min(_held(fits, OVERHEAD, RATE)) > 0.95
    width = fits["overhead_seconds_high"] / fits["overhead_seconds_low"]
    assert width.median() < 1 + 5 * noise


@pytest.mark.parametrize("at", [4, 16, 64, 1024])
@pytest.mark.parametrize("bent", [0.9, 1.15])
def test_intervals_hold_the_truth_of_a_line_that_a_cache_bends_so_little_that_it_fits(at, bent):
    """The rate is the one that the line approaches; in the worst place nine of ten hold it."""
    fits = _fits({f"made {n}": line(OVERHEAD, RATE, bent, at) for n in range(100)}, 5, 0.02)
    assert fits["fits"].sum() > 20
    assert min(_held(fits, OVERHEAD, RATE / bent)) > 0.85


@pytest.mark.parametrize("at", [64, 256, 1024, 4096])
def test_a_line_that_a_cache_bends_by_30_percent_is_none(at):
    fits = _fits({f"made {n}": line(OVERHEAD, RATE, 1.3, at) for n in range(50)}, 5, 0.02)
    assert not fits["fits"].any()
    columns = [f"{name}{end}" for name in MEASURES for end in ("", "_low", "_high")]
    assert fits[columns].isna().all(axis=None)
    assert (fits["worst_left_out"].abs() > TOLERATED).all()


def test_an_interval_holds_what_leaving_out_a_shape_does():
    seconds = line(OVERHEAD, RATE)
    seconds[1] *= 1.09
    row = _fit(seconds, 5, noise=0)
    assert row["fits"]
    for left_out in NS:
        kept = [N for N in NS if left_out != N]
        overhead, slope = fit(*(np.array([of[N] for N in kept], float) for of in (FLOPS, seconds)))
        for name, value in zip(MEASURES, (overhead, 1 / slope, overhead / slope), strict=True):
            assert row[f"{name}_low"] <= value <= row[f"{name}_high"], (name, left_out)


def test_one_shape_that_the_others_do_not_predict_is_named():
    seconds = line(OVERHEAD, RATE)
    seconds[1] *= 3
    found = sweep(rounds({"a": seconds}, noise=0))
    (row,) = found.fits.to_dict("records")
    assert (row["fits"], row["worst_shape"]) == (False, "1x1000x100x10")
    assert row["worst_left_out"] == found.points["left_out"][0] == pytest.approx(2)
    assert found.points["model_seconds_per_step"].isna().all()


def test_what_has_no_rate_no_interval_or_no_line():
    flat = _fit(dict.fromkeys(NS, 20e-6))
    assert flat["fits"]
    assert flat["overhead_seconds"] == pytest.approx(20e-6, rel=0.01)
    assert np.isnan([flat[name] for name in (*MEASURES[1:], "flop_per_second_high")]).all()
    alone = _fit(line(OVERHEAD, RATE), passes=1)
    assert np.isnan([alone["overhead_seconds_low"], alone["overhead_seconds_high"]]).all()
    made = rounds({"a": LINE})
    assert sweep(made[made["shape"].isin([SHAPES[1], SHAPES[4]])]).fits.empty
    flops = np.array([1e6, 1e7, 1e8])
    assert fit(flops, flops / 1e11) == (pytest.approx(0, abs=1e-9), pytest.approx(1e-11))
    assert fit(flops, np.full(3, 1e-5))[1] == pytest.approx(0, abs=1e-16)


def test_the_crossover_lies_between_two_measured_sizes():
    (crossing,) = _crossings(rounds({"base": LINE, "late": LATE}))
    expected = {
        "backend": "late", "than": "base", "faster": "above", "undecided": "", "processes": 10,
        "shape_low": "16x1000x100x10", "shape_high": "64x1000x100x10",
        "flops_low": FLOPS[16], "flops_high": FLOPS[64],
    }  # fmt: skip
    assert {name: crossing[name] for name in expected} == expected


def test_sizes_at_which_no_side_is_certainly_faster_lie_inside():
    base = line(OVERHEAD, RATE)
    factors = {1: 1.3, 4: 1.3, 16: 1.0, 64: 1.0}
    late = {N: seconds * factors.get(N, 0.8) for N, seconds in base.items()}
    (crossing,) = _crossings(rounds({"base": base, "late": late}))
    assert (crossing["flops_low"], crossing["flops_high"]) == (FLOPS[4], FLOPS[256])
    assert crossing["undecided"] == "16x1000x100x10 64x1000x100x10"


def test_every_process_counts_also_one_that_shows_no_crossing():
    """Four processes of five cross; the fifth is so slow that the interval holds 1."""
    made = rounds({"base": LINE, "late": LATE}, passes=5)
    assert len(_crossings(made)) == 1
    slow = (made["backend"] == "late") & (made["pass"] == 4)
    slow &= made["shape"].isin([SHAPES[N] for N in NS if N >= 64])
    made.loc[slow, "seconds_per_step"] *= 10
    assert _crossings(made) == []


def test_a_bracket_holds_the_place_where_the_lines_cross():
    late = {f"late {number}": LATE for number in range(150)}
    found = sweep(rounds({"base": LINE} | late, 5, 0.1), "base").crossings
    assert len(found) > 75
    assert ((found["flops_low"] < 13.5e6) & (found["flops_high"] > 13.5e6)).mean() > 0.98


def test_what_does_not_meet_or_differ_does_not_cross():
    """Of 300 equal lines one may seem to cross."""
    assert _crossings(rounds({"base": LINE, "slow": line(20e-6, 90e9)})) == []
    equal = dict.fromkeys(["base", *(f"same {number}" for number in range(20))], LINE)
    assert sum(len(_crossings(rounds(equal, 5, 0.02, seed))) for seed in range(15)) <= 1
