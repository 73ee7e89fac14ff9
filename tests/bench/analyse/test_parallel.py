"""If these fail, the table says of ranks that they pay where they do not."""

import numpy as np
import pytest

from bench.analyse import parallel
from bench.analyse.verdicts import Estimate
from bench.record.frame import Singles
from bench.schema.case import Case, Shape

SHAPE = Shape(64, 1000, 100, 10)
TOGETHER = Case("shared", "cpu", "float32", 1, SHAPE, ranks=2)
WHOLE, PART = (Case("shared", "cpu", "float32", 1, shape) for shape in (SHAPE, SHAPE._replace(N=32)))
ALONE = Case("collective", "cpu", "float32", 1, SHAPE, ranks=2)
SECONDS = {TOGETHER: 6e-4, WHOLE: 4e-4, PART: 3e-4, ALONE: 2e-4}


def _columns(*cases, case=TOGETHER, **others):
    kinds = {each.key: "collective" if each.backend == "collective" else "rung" for each in cases}
    timed = {each.key: Singles({0: np.full(5, SECONDS[each]), 1: np.full(5, SECONDS[each])}, True) for each in cases}
    times = {each.key: seconds for each, seconds in SECONDS.items()}
    ratio = lambda other: Estimate(np.log(SECONDS[case] / times[other]), 0.01, 9)  # noqa: E731
    return parallel.columns(case, kinds, timed, ratio)


def test_strong_is_beside_the_whole_batch_and_weak_beside_a_part_of_it():
    found = _columns(*SECONDS)
    assert found["strong_efficiency"] == pytest.approx(4 / (2 * 6))
    assert found["weak_efficiency"] == pytest.approx(3 / 6)
    for name in ("strong", "weak"):
        assert found[f"{name}_efficiency_low"] < found[f"{name}_efficiency"] < found[f"{name}_efficiency_high"]
        assert found[f"{name}_efficiency_high"] / found[f"{name}_efficiency"] == pytest.approx(np.exp(0.01 * 2.262), rel=1e-3)


def test_the_parts_of_a_step_stand_beside_it():
    found = _columns(*SECONDS)
    assert found["local_seconds_per_step"] == pytest.approx(3e-4)
    assert found["collective_seconds_per_step"] == pytest.approx(2e-4)


def test_without_what_it_is_relative_to_there_is_no_number():
    assert _columns(TOGETHER) == {}
    assert {name.split("_")[0] for name in _columns(TOGETHER, PART)} == {"weak", "local"}
    assert {name.split("_")[0] for name in _columns(TOGETHER, WHOLE)} == {"strong"}


def test_one_process_has_none_of_it():
    assert _columns(*SECONDS, case=WHOLE) == {}


@pytest.mark.parametrize("change", [{"ranks": 4}, {"dtype": "float64"}, {"device": "cuda"}, {"threads": 2}])
def test_a_collective_elsewhere_is_not_its_collective(change):
    from dataclasses import replace

    other = replace(ALONE, **change)
    SECONDS[other] = 1.0
    try:
        assert "collective_seconds_per_step" not in _columns(TOGETHER, other)
    finally:
        del SECONDS[other]


def test_a_collective_of_other_sizes_is_not_its_collective():
    wide = Case("shared", "cpu", "float32", 1, SHAPE._replace(H=200), ranks=2)
    kinds, timed = {ALONE.key: "collective"}, {ALONE.key: Singles({0: np.ones(5)}, True)}
    assert parallel.columns(wide, kinds, timed, lambda _: None) == {}
    assert "collective_seconds_per_step" in parallel.columns(TOGETHER, kinds, timed, lambda _: None)
