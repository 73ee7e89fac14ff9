"""If these fail, a fleet's table does not fit the screen, hides a slow node, or has wrong ratios."""

import io

import pytest

from bench.analyse import equals
from bench.show import fleet_tables, grid
from tests.bench.analyse.test_equals import rows
from tests.support import read_csv


@pytest.fixture
def two_models():
    """The rows of three nodes of model m, of which b2 is slow, and one of model n; and verdicts."""
    table = rows({"a1": 1e-4, "b2": 1.5e-4, "c3": 1e-4, "d4": 1e-4})
    table.loc[table["node"] == "d4", "machine"] = "n"
    table["seconds_per_step"], table["reason"] = table["undisturbed_seconds_per_step"], ""
    return table, equals.judge(table)


@pytest.mark.parametrize("width", [60, 140])
def test_each_model_has_a_table_that_fits_with_its_fastest_node_first(two_models, width):
    console = grid.console(width=width)
    with console.capture() as captured:
        fleet_tables.terminal(*two_models, ["missing: e5: why"], console)
    lines = captured.get().splitlines()
    assert [line.split()[0] for line in lines[:7]] == ["m", "node", "a1", "c3", "b2", "n", "node"]
    assert max(map(len, lines[:7])) <= width
    assert ("torch_manual" in lines[1].split()) == (width == 140)
    assert "SLOWER: b2 +50.0 % (" in captured.get()
    assert "d4: no equal to judge it by" in lines
    assert lines[-1] == "missing: e5: why"


def test_the_csv_has_a_ratio_for_every_case_and_the_markdown_a_table(two_models):
    files = fleet_tables.files(*two_models, [])
    ratios = read_csv(io.StringIO(files["fleet.csv"])).set_index(["node", "backend"])["ratio_to_equals"]
    assert ratios[("b2", "torch_manual")] == pytest.approx(1.5)
    assert "| b2 |" in files["fleet.md"]
