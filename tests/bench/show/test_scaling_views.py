"""If these fail, a reader of a sweep sees an overhead that is none, or a crossing that is not."""

import io

import pandas as pd
import pytest

from bench.show import grid, scaling_views
from tests.made import FLOPS, NS, SHAPES, line, rounds, sweep

BASE = line(50e-6, 100e9)


def _times(*factors):
    """The baseline's times by factors, of the smallest shape first."""
    return {N: BASE[N] * factor for N, factor in zip(NS, factors, strict=True)}


LATE = _times(1.5, 1.5, 1, 0.8, 0.8, 0.8, 0.8)


def _shown(lines, noise=0.01):
    text = io.StringIO()
    sizes = ("N", "D_in", "H", "D_out")
    found = sweep(rounds(lines, noise=noise), "base")
    scaling_views.show(found, sizes, grid.console(text, 140))
    return text.getvalue()


def test_a_line_that_does_not_fit_says_so_and_shows_its_points():
    shown = _shown({"base": BASE, "bent": BASE | {1: 3 * BASE[1]}}, noise=0)
    row, points = (line for line in shown.splitlines() if line.startswith("bent"))
    assert row.split() == ["bent", "no", "line", "+200.0%", "at", "N=1"]
    assert points.split()[:3] == ["bent", "162", "µs"]
    assert "base" not in shown.partition("Lines that do not fit")[2]
    shown = _shown({"base": BASE})
    assert ("50.0 µs" in shown, "Lines that do not fit" in shown) == (True, False)


@pytest.mark.parametrize(
    ("times", "sentence"),
    [
        (
            LATE,
            "slower up to 1.62 MFLOP (N=4), faster from 26 MFLOP (N=64) on; undecided at N=16",
        ),
        (
            _times(0.5, 1.5, 0.5, 0.5, 1, 1.5, 1),
            "faster up to 406 kFLOP (N=1), slower at 1.62 MFLOP (N=4), faster from 6.5 MFLOP "
            "(N=16) to 26 MFLOP (N=64), slower from 416 MFLOP (N=1024) on; undecided at N=256, "
            "N=4096",
        ),
    ],
)
def test_crossings_are_one_sentence_with_the_sizes_around_them(times, sentence):
    assert f"other[cpu, float32] beside base: {sentence}" in _shown({"base": BASE, "other": times})


def test_files_hold_what_was_found(tmp_path):
    found = sweep(rounds({"base": BASE, "late": LATE}), "base")
    written = {path.name for path in scaling_views.write(found, tmp_path)}
    assert set(scaling_views.FILES.values()) <= written
    (crossing,) = pd.read_csv(tmp_path / "crossings.csv").to_dict("records")
    assert (crossing["flops_low"], crossing["flops_high"]) == (FLOPS[4], FLOPS[64])


def test_without_a_line_no_file_is_written(tmp_path):
    made = rounds({"base": BASE})
    few = made[made["shape"].isin([SHAPES[1], SHAPES[4]])]
    assert scaling_views.write(sweep(few, "base"), tmp_path) == []
    assert [*tmp_path.iterdir()] == []
