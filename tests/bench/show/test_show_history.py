"""If these fail, `bench history` does not fit a terminal, or hides a change."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from bench.cli import main
from tests.support import run_rows

pytest.importorskip("ruptures", reason="the extra history is not installed")
RUNS, AT = 24, 12


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A folder of results in which `slow` gets 5 % slower with another torch."""
    random, results = np.random.default_rng(0), tmp_path_factory.mktemp("results")
    for number in range(RUNS):
        name, later = f"202601{number + 1:02}T000000Z", number >= AT
        table = run_rows(name, random, {"slow": 1.05} if later else None)
        folder = results / "m" / name
        folder.mkdir(parents=True)
        table["versions"] = "torch==2.14.1+cpu" if later else "torch==2.13.0+cpu"
        table.to_csv(folder / "summary.csv", index=False)
        facts = {"time": f"2026-01-{number + 1:02}T10:20:00+00:00", "commit": f"{number:02}" + "a" * 38 + "+dirty"}
        (folder / "environment.json").write_text(json.dumps(facts))
    return results


@pytest.fixture
def stored(results, tmp_path):
    """A copy that a test may change."""
    return Path(shutil.copytree(results, tmp_path / "results"))


def test_a_row_for_each_way_and_its_changes_below(results, capsys):
    assert main(["history", "--results", str(results)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "cpu · float32 · 1 thread · 64x1000x100x10 · 2026-01-01 10:20 to 2026-01-24 10:20"
    rows = {line.split()[0]: line.split() for line in lines}
    assert rows["base"][1] == rows["slow"][1] == str(RUNS)
    (since,) = [line for line in lines if line.startswith("slow: ")]
    assert since.startswith("slow: SLOWER since 2026-01-13 10:20, +5.")
    assert ": torch 2.13.0+cpu → 2.14.1+cpu, commit 11aaaaaa+dirty → 12aaaaaa+dirty" in since
    assert max(len(line) for line in lines[2:5]) <= 80


def test_a_row_for_each_of_the_newest_runs_of_a_way(results, capsys):
    assert main(["history", "slow", "--results", str(results), "--runs", "13"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [line for line in lines if line.startswith("2026-")]
    assert len(rows) == 13
    marked = [line for line in rows if "◀" in line]
    assert [line.split()[:4] for line in marked] == [["2026-01-13", "10:20", "slow", "12aaaaaa+"]]
    assert "SLOWER" in marked[0]
    assert max(map(len, rows)) <= 80
    assert "11 earlier runs of slow are not shown; see --runs" in lines


def test_a_clock_that_moved_proves_nothing(stored, capsys):
    random = np.random.default_rng(1)
    folder = stored / "m" / "20260125T000000Z"
    folder.mkdir()
    clock = dict.fromkeys(("base", "slow", "arithmetic"), 1.2)
    table = run_rows(folder.name, random, clock).assign(versions="torch==2.14.1+cpu")
    table.to_csv(folder / "summary.csv", index=False)
    assert main(["history", "slow", "--results", str(stored)]) == 0
    last = [line for line in capsys.readouterr().out.splitlines() if line.startswith("2026-01-25 00:00")]
    assert [line.split()[-1] for line in last] == ["UNPROVEN"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [(["slwo"], "unknown way 'slwo'; did you mean slow?"), (["--results", "absent"], "absent: holds no stored run; `python")],
)
def test_a_mistake_is_one_sentence(results, capsys, arguments, sentence):
    assert main(["history", "--results", str(results), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert sentence in error


def test_a_damaged_run_is_named_and_left_out(stored, capsys):
    (stored / "m" / "20260105T000000Z" / "summary.csv").write_text("")
    assert main(["history", "--results", str(stored)]) == 0
    said = capsys.readouterr()
    assert "20260105T000000Z/summary.csv: holds no row" in said.err
    assert said.out.count(str(RUNS - 1)) >= 2
