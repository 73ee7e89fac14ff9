"""If these fail, the parts of a step's time do not add up to it, or are not what the controls of the run cost."""

import numpy as np
import pandas as pd
import pytest

from bench.analyse import decomposition

PLACE = {"device": "cpu", "threads": 1, "ranks": 1, "bound_seconds_per_step": np.nan, "minor_faults_per_step": 0.0, "bytes": 0}
TEXT = {"operators_per_step": np.nan, "allocated_bytes_per_step": np.nan, "versions": "numpy==2"}


def _row(kind, seconds, **changes):
    return PLACE | TEXT | {"kind": kind, "undisturbed_seconds_per_step": seconds} | changes


STEP = _row("rung", 100e-6, bound_seconds_per_step=50e-6, bytes=1000, allocated_bytes_per_step=2000, operators_per_step=5,
            minor_faults_per_step=2.0)  # fmt: skip
COPY = _row("ceiling", 1e-6, bytes=1000)
OPERATORS = _row("overhead", 100e-6)
FAULTS = _row("overhead", 300e-6, minor_faults_per_step=100.0)


def _parts(*rows):
    table = decomposition.add(pd.DataFrame(rows)).iloc[0]
    return {part: table[f"{part}_seconds_per_step"] for part in decomposition.PARTS}


def test_parts_are_counts_times_what_one_costs_and_add_up():
    """5 kB pass at 1 kB a µs, an operator takes 1 µs, a fault 3."""
    parts = _parts(STEP, COPY, OPERATORS, FAULTS)
    assert parts == pytest.approx({"bound": 50e-6, "memory": 5e-6, "operators": 5e-6, "faults": 6e-6, "rest": 34e-6})
    assert sum(parts.values()) == pytest.approx(100e-6)


def test_what_has_no_control_is_in_the_rest():
    other = STEP | {"versions": "torch==2 numpy==2"}
    parts = _parts(other, COPY, OPERATORS, FAULTS)
    assert np.isnan(parts["operators"])
    assert parts["rest"] == pytest.approx(39e-6)
    assert _parts(STEP, OPERATORS | {"threads": 2})["rest"] == pytest.approx(50e-6)


def test_a_run_from_before_there_were_such_controls_has_no_parts():
    assert np.isnan([seconds for part, seconds in _parts(STEP, COPY).items() if part != "bound"]).all()


@pytest.mark.parametrize("place", [{"device": "cuda"}, {"threads": 2}])
def test_a_control_of_another_place_does_not_count(place):
    controls = [control | place for control in (COPY, OPERATORS, FAULTS)]
    assert _parts(STEP, *controls)["rest"] == pytest.approx(50e-6)


def test_a_control_has_no_parts_and_a_step_without_a_bound_none_either():
    assert np.isnan(_parts(COPY, STEP)["rest"])
    assert np.isnan(_parts(STEP | {"bound_seconds_per_step": np.nan}, COPY, OPERATORS)["rest"])
