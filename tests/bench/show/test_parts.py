"""If these fail, the bars that say where a step's time goes show something else than the summary."""

import io
import math

import pandas as pd
import pytest

from bench.analyse.summaries import summarise
from bench.show import grid, parts
from tests.support import story


def _shown(**columns):
    table = summarise(story(lambda name, number, block: 1e-3, passes=2, blocks=2)).assign(**columns)
    out = io.StringIO()
    parts.show(pd.DataFrame(table), grid.console(out, width=120))
    return out.getvalue()


COLUMNS = {
    "undisturbed_seconds_per_step": 1e-3, "bound_seconds_per_step": 5e-4, "memory_seconds_per_step": 2e-4,
    "operators_seconds_per_step": math.nan, "faults_seconds_per_step": 1e-4, "rest_seconds_per_step": 2e-4,
}  # fmt: skip


def test_a_bar_has_a_cell_for_so_much_of_the_time_and_a_large_rest_is_told():
    text = _shown(**COLUMNS)
    assert f"base {'█' * 15}{'▓' * 6}{'░' * 3}{'·' * 6} 1.00 ms bound 50% memory 20% faults 10% rest 20%" in text
    assert "A rest above 15%, which no count of the run explains: base, slow." in text


def test_parts_that_are_more_than_the_time_are_cut_off_and_told():
    text = _shown(**COLUMNS | {"bound_seconds_per_step": 1e-3, "rest_seconds_per_step": -3e-4})
    assert f"base {'█' * 30} 1.00 ms bound 100% memory 20% faults 10% rest -30%" in text


def test_a_run_without_parts_shows_none():
    assert _shown(rest_seconds_per_step=math.nan) == ""


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_bar_is_always_as_wide(share):
    assert len(parts.bar({"bound": share, "memory": 0.0, "operators": 0.0, "faults": 0.0, "rest": 1 - share})) == parts.WIDTH
