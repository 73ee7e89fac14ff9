"""If these fail, a bar in the terminal has another length than its time."""

import math

import pytest

from bench.show import bars


@pytest.mark.parametrize(
    ("share", "text"),
    [(1.0, "█" * 10), (0.5, "█████"), (0.5125, "█████▏"), (0.0, ""), (0.0126, "▏"), (math.nan, "")],
)
def test_a_bar_is_as_long_as_its_share_to_an_eighth(share, text):
    assert bars.bar(share, 10) == text


def test_times_30_apart_are_far_apart():
    assert [bars.is_wide(times) for times in ([], [1, 30], [1, 30.1])] == [False, False, True]
