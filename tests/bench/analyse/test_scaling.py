"""If these fail, a sweep tells an overhead, a rate or a crossover that its times do not hold."""

import numpy as np
import pandas as pd
import pytest

from bench.analyse.scaling import TOLERATED, fit, scale
from bench.record.frame import Singles
from tests.sweeps import FLOPS, NS, line, rounds

OVERHEAD, RATE = 50e-6, 100e9
MEASURES = ("overhead_seconds", "flop_per_second", "half_performance_flop")


def _made(seconds, noise, lines=200):
    """The fits of many made sweeps of five processes."""
    return scale(rounds({f"made_{number}": seconds for number in range(lines)}, 5, noise), {}, "none").fits


def _held(fits, truth):
    """How often the intervals of lines that fit hold each truth."""
    fits = fits[fits["fits"]]
    return {name: ((fits[f"{name}_low"] <= value) & (value <= fits[f"{name}_high"])).mean() for name, value in truth.items()}


def test_overhead_and_rate_are_found_within_their_intervals():
    found = scale(rounds({"a": line(20e-6, 100e9), "b": line(100e-6, 300e9)}), {}, "a").fits.set_index("backend")
    assert found.loc["a", "overhead_seconds"] == pytest.approx(20e-6, rel=0.05)
    assert found.loc["b", "flop_per_second"] == pytest.approx(300e9, rel=0.02)
    assert found.loc["b", "half_performance_flop"] == pytest.approx(100e-6 * 300e9, rel=0.05)
    for name in MEASURES:
        assert (found[f"{name}_low"] < found[name]).all()
        assert (found[name] < found[f"{name}_high"]).all()
    assert found["worst_residual"].abs().max() < 0.03


def test_where_single_steps_were_timed_a_line_is_that_of_undisturbed_ones():
    """All rounds lie off; of 50 steps two are undisturbed, and tell 40 µs more of overhead."""
    calm = line(60e-6, 100e9)
    steps = {f"a {N}": np.array([calm[N], calm[N], *[2 * calm[N]] * 48]) for N in NS}
    singles = {case: Singles(dict.fromkeys(range(5), each), True) for case, each in steps.items()}
    made = rounds({"a": line(20e-6, 100e9), "b": line(20e-6, 100e9)}, 5, 0.3)
    found = scale(made, singles, "a")
    assert found.fits.set_index("backend").loc["a", "overhead_seconds"] == pytest.approx(60e-6)
    points = found.points[found.points["backend"] == "a"]
    assert list(points["seconds_per_step"]) == pytest.approx([calm[N] for N in NS])
    untimed = scale(made, {}, "a").fits.set_index("backend").loc["b"]
    pd.testing.assert_series_equal(found.fits.set_index("backend").loc["b"], untimed)


def test_a_line_is_crossed_by_what_both_have():
    """Rounds of it take a fifth longer. Its undisturbed steps, from N=64 on, are ten times as fast, which says nothing beside
    rounds alone."""
    made = rounds({"a": line(20e-6, 100e9), "b": line(24e-6, 100e9 / 1.2)}, 5, 0.01)
    calm = {f"{name} {N}": line(2e-6, 1000e9)[N] for name in "ab" for N in NS[3:]}

    def crossed(names, singly="ab"):
        of = {case: Singles(dict.fromkeys(range(5), np.full(9, seconds)), case[0] in singly) for case, seconds in calm.items()}
        return scale(made, {case: steps for case, steps in of.items() if case[0] in names}, "a").crossings

    assert crossed("b").empty
    assert crossed("ab").empty
    calm |= {f"b {N}": line(2e-6, 1000e9)[N] * (1.05 if N > 256 else 0.95) for N in NS[3:]}
    assert list(crossed("ab")["flops_low"]) == [FLOPS[16], FLOPS[256]]
    assert crossed("ab", singly="a").empty, "what was timed of b are rounds"


@pytest.mark.parametrize("noise", [0.01, 0.04])
def test_of_a_true_line_95_of_100_intervals_hold_the_truth(noise):
    fits = _made(line(OVERHEAD, RATE), noise)
    assert fits["fits"].all()
    held = _held(fits, {"overhead_seconds": OVERHEAD, "flop_per_second": RATE, "half_performance_flop": OVERHEAD * RATE})
    assert all(share > 0.95 for share in held.values()), held
    assert (fits["overhead_seconds_high"] / fits["overhead_seconds_low"]).median() < 1 + 5 * noise


@pytest.mark.parametrize("at", [4, 16, 64, 1024])
@pytest.mark.parametrize("bent", [0.9, 1.1, 1.15])
def test_intervals_hold_the_truth_of_a_line_that_a_cache_bends_so_little_that_it_fits(at, bent):
    """The rate is the one that the line approaches. In the worst place, from the third size on, nine intervals of ten do."""
    fits = _made(line(OVERHEAD, RATE, bent, at), 0.02, 100)
    assert fits["fits"].sum() > 20
    truth = {"overhead_seconds": OVERHEAD, "flop_per_second": RATE / bent, "half_performance_flop": OVERHEAD * RATE / bent}
    held = _held(fits, truth)
    assert all(share > 0.85 for share in held.values()), held


@pytest.mark.parametrize("at", [64, 256, 1024, 4096])
def test_a_line_that_a_cache_bends_by_30_percent_is_none(at):
    fits = _made(line(OVERHEAD, RATE, 1.3, at), 0.02, 50)
    assert not fits["fits"].any()
    columns = [f"{name}{end}" for name in MEASURES for end in ("", "_low", "_high")]
    assert fits[columns].isna().all(axis=None)
    assert (fits["worst_left_out"].abs() > TOLERATED).all()


def test_an_interval_holds_what_leaving_out_a_shape_does():
    """Without noise nothing else is left that an interval could come from."""
    seconds = line(OVERHEAD, RATE) | {1: 1.09 * line(OVERHEAD, RATE)[1]}
    (row,) = scale(rounds({"a": seconds}, 5, noise=0), {}, "a").fits.to_dict("records")
    assert row["fits"]
    for left_out in NS:
        kept = [N for N in NS if left_out != N]
        overhead, slope = fit(np.array([FLOPS[N] for N in kept], float), np.array([seconds[N] for N in kept]))
        for name, value in zip(MEASURES, (overhead, 1 / slope, overhead / slope), strict=True):
            assert row[f"{name}_low"] <= value <= row[f"{name}_high"], (name, left_out)


def test_one_shape_that_the_others_do_not_predict_is_named():
    """As one product at N=1 that a library computes in another way."""
    seconds = line(OVERHEAD, RATE) | {1: 3 * line(OVERHEAD, RATE)[1]}
    found = scale(rounds({"a": seconds}, noise=0), {}, "a")
    (row,) = found.fits.to_dict("records")
    assert (row["fits"], row["worst_shape"]) == (False, "1x1000x100x10")
    assert row["worst_left_out"] == pytest.approx(2)
    assert found.points["model_seconds_per_step"].isna().all()
    assert found.points["left_out"][0] == row["worst_left_out"]


def test_times_that_do_not_grow_approach_no_rate():
    (row,) = scale(rounds({"a": dict.fromkeys(NS, 20e-6)}), {}, "a").fits.to_dict("records")
    assert row["fits"]
    assert row["overhead_seconds"] == pytest.approx(20e-6, rel=0.01)
    assert np.isnan([row["flop_per_second"], row["half_performance_flop"], row["flop_per_second_high"]]).all()


def test_one_process_has_no_interval():
    (row,) = scale(rounds({"a": line(OVERHEAD, RATE)}, passes=1), {}, "a").fits.to_dict("records")
    assert np.isnan([row["overhead_seconds_low"], row["overhead_seconds_high"]]).all()


def test_neither_term_is_negative():
    flops = np.array([1e6, 1e7, 1e8])
    assert fit(flops, flops / 1e11) == (pytest.approx(0, abs=1e-9), pytest.approx(1e-11))
    assert fit(flops, np.full(3, 1e-5))[1] == pytest.approx(0, abs=1e-16)


def test_the_crossover_lies_between_two_measured_sizes():
    """100 + x / 3 passes 10 + x at 135 µs of the baseline, 13.5 MFLOP: between N=16 and N=64."""
    made = rounds({"base": line(10e-6, 100e9), "late": line(100e-6, 300e9)})
    (crossing,) = scale(made, {}, "base").crossings.to_dict("records")
    assert (crossing["shape_low"], crossing["shape_high"]) == ("16x1000x100x10", "64x1000x100x10")
    assert (crossing["flops_low"], crossing["flops_high"]) == (FLOPS[16], FLOPS[64])
    assert (crossing["backend"], crossing["than"], crossing["faster"]) == ("late", "base", "above")
    assert (crossing["processes"], crossing["undecided"]) == (10, "")


def test_sizes_at_which_nobody_is_certainly_faster_lie_inside():
    base = line(OVERHEAD, RATE)
    late = {N: seconds * {1: 1.3, 4: 1.3, 16: 1.0, 64: 1.0}.get(N, 0.8) for N, seconds in base.items()}
    (crossing,) = scale(rounds({"base": base, "late": late}), {}, "base").crossings.to_dict("records")
    assert (crossing["shape_low"], crossing["shape_high"]) == ("4x1000x100x10", "256x1000x100x10")
    assert crossing["undecided"] == "16x1000x100x10 64x1000x100x10"


def test_every_process_counts_also_one_that_shows_no_crossing():
    """Four processes of five are faster at the large sizes; the fifth is so much slower that the interval holds 1."""
    made = rounds({"base": line(10e-6, 100e9), "late": line(100e-6, 300e9)}, passes=5)
    assert len(scale(made, {}, "base").crossings) == 1
    slow = (made["backend"] == "late") & (made["pass"] == 4) & (made["N"] >= 64)
    made.loc[slow, "seconds_per_step"] *= 10
    assert scale(made, {}, "base").crossings.empty


def test_a_bracket_holds_the_place_where_the_lines_cross():
    """At 13.5 MFLOP, whatever noise there is."""
    late = {f"late_{number}": line(100e-6, 300e9) for number in range(200)}
    made = rounds({"base": line(10e-6, 100e9)} | late, 5, 0.1)
    found = scale(made, {}, "base").crossings
    assert len(found) > 100
    assert ((found["flops_low"] < 13.5e6) & (found["flops_high"] > 13.5e6)).mean() > 0.98


def test_what_noise_cannot_tell_apart_does_not_cross():
    """Equal lines change places from point to point; of 300 one may seem to cross."""
    equal = {name: line(10e-6, 100e9) for name in ("base", *(f"same_{number}" for number in range(20)))}
    assert sum(len(scale(rounds(equal, 5, 0.02, seed), {}, "base").crossings) for seed in range(15)) <= 1


def test_lines_that_do_not_meet_have_no_crossover():
    assert scale(rounds({"base": line(10e-6, 100e9), "slow": line(20e-6, 90e9)}), {}, "base").crossings.empty


def test_each_number_of_ranks_is_a_line_and_crosses_one_process():
    base = line(10e-6, 100e9)
    made = rounds({"base": base, "shared": line(100e-6, 190e9)})
    made.loc[made["backend"] == "shared", "ranks"] = 2
    alone = rounds({"shared": {N: 1.2 * seconds for N, seconds in base.items()}})
    found = scale(pd.concat([made, alone]), {}, "base")
    assert sorted(zip(found.fits["backend"], found.fits["ranks"], strict=True)) == [("base", 1), ("shared", 1), ("shared", 2)]
    (crossing,) = found.crossings.to_dict("records")
    assert (crossing["backend"], crossing["ranks"], crossing["faster"], crossing["than"]) == ("shared", 2, "above", "base")
    assert crossing["flops_low"] < 19e6 < crossing["flops_high"]


def test_two_shapes_are_no_line():
    made = rounds({"a": line(20e-6, 100e9)})
    assert scale(made[made["N"] < 16], {}, "a").fits.empty
