"""If these fail, a run promises that a slow start pays off when it does not, or after a wrong number of steps."""

import numpy as np
import pandas as pd
import pytest

from bench.analyse import break_even


def _after(first, seconds, high=0.9):
    table = pd.DataFrame(
        {
            "baseline": ["base", "base", None],
            "first_step_seconds": [0.5, first, 9.0],
            "seconds_per_step": [0.5, seconds, 9.0],
            "ratio_high": [1.0, high, np.nan],
        },
        index=["base", "fast", "fixed work"],
    )
    return break_even.add(table)["break_even_steps"].tolist()


@pytest.mark.parametrize(("first", "steps"), [(2.25, 8.0), (0.5, 1.0), (0.125, 1.0), (0.625, 2.0)])
def test_arithmetic_by_hand(first, steps):
    """1.75 s more at the start and 0.25 s less a step are even after seven further steps."""
    base, fast, fixed = _after(first, 0.25)
    assert fast == steps
    assert np.isnan([base, fixed]).all()


@pytest.mark.parametrize(("seconds", "high"), [(0.25, 1.0), (0.25, np.nan), (0.5, 0.9), (0.75, 0.9)])
def test_no_gain_is_promised_that_was_not_shown(seconds, high):
    assert np.isnan(_after(2.0, seconds, high)[1])
