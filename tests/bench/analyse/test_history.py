"""If these fail, a change goes unnoticed, or one is announced that is none or has another cause."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from bench.analyse import history
from bench.analyse.between_runs import SERIES
from bench.analyse.comparison import judge
from bench.analyse.verdicts import FASTER, SLOWER, UNPROVEN
from bench.errors import UsageError
from tests.support import run_rows

pytest.importorskip("ruptures", reason="the extra history is not installed")
RUNS, AT = 30, 18


def _made(slower=None, runs=RUNS, seed=0, spread=0.002, **columns):
    """Runs in time order; `slower(number)` maps backends to factors, a column's function gives its value in a run."""
    random = np.random.default_rng(seed)
    tables = []
    for number in range(runs):
        name = f"202601{number // 24 + 1:02}T{number % 24:02}0000Z"
        table = run_rows(name, random, slower and slower(number), spread)
        table = table.assign(**{column: value(number) for column, value in columns.items()})
        tables.append(table.assign(file=f"results/m/{name}/summary.csv"))
    return pd.concat(tables, ignore_index=True)


def _slow(rows):
    (series,) = history.of_rows(rows, ["slow"])
    return [(change.place, change.verdict) for change in series.changes]


@pytest.mark.parametrize(("factor", "verdict"), [(1.02, SLOWER), (1.05, SLOWER), (0.95, FASTER)])
@pytest.mark.parametrize("seed", range(3))
def test_a_step_is_found_where_it_is(factor, verdict, seed):
    assert _slow(_made(lambda number: {"slow": factor if number >= AT else 1}, seed=seed)) == [(AT, verdict)]


@pytest.mark.parametrize("slow", [(), (5, 6, 14, 25), (RUNS - 1,), (RUNS - 2, RUNS - 1)])
@pytest.mark.parametrize("seed", range(3))
def test_neither_noise_nor_outliers_are_a_change(slow, seed):
    assert _slow(_made(lambda number: {"slow": 1.3 if number in slow else 1}, seed=seed)) == []


@pytest.mark.parametrize("unknown", [np.nan, np.inf])
def test_a_step_is_found_where_processes_predict_nothing(unknown):
    assert _slow(_made(lambda number: {"slow": 1.05 if number >= AT else 1}).assign(relative_error=unknown)) == [(AT, SLOWER)]


def test_a_step_below_the_margin_is_none():
    assert _slow(_made(lambda number: {"slow": 1.007 if number >= AT else 1}, spread=1e-4)) == []


@pytest.mark.parametrize(("places", "verdict"), [(1, SLOWER), (1000, "")])
def test_the_more_places_a_change_could_be_at_the_more_it_has_to_show(places, verdict):
    (series,) = history.of_rows(_made(runs=10), ["slow"])
    logs = [0, 0.01, -0.01, 0.005, -0.005, 0.02, 0.03, 0.01, 0.025, 0.015]
    rows = series.rows.assign(log=logs)
    assert history._compared([rows.iloc[:5], rows.iloc[5:]], 0, places)[0] == verdict


def test_an_outlier_beside_a_step_hides_it_not():
    made = _made(lambda number: {"slow": 1.5 if number in (AT - 2, AT + 2) else 1.03 if number >= AT else 1})
    assert _slow(made) == [(AT, SLOWER)]


def test_a_change_is_as_large_as_the_runs_on_both_sides_say():
    series = history.of_rows(_made(lambda number: {"slow": 1.05 if number >= AT else 1}, spread=1e-5))
    (change,) = [change for one in series for change in one.changes]
    assert change.estimate.mean == pytest.approx(math.log(1.05), abs=1e-4)


def test_what_changed_is_named_and_so_is_the_clock():
    made = _made(
        lambda number: dict.fromkeys(("slow", "arithmetic"), 1.05) if number >= AT else {},
        versions=lambda number: "torch==2.13.0 numpy==2" if number < AT else "torch==2.14.1 numpy==2",
    )
    made.loc[made["kind"] == "guard", "versions"] = ""
    (series,) = history.of_rows(made, ["slow"])
    (change,) = series.changes
    library, clock = change.what
    assert change.verdict == UNPROVEN
    assert library == "torch 2.13.0 → 2.14.1"
    assert clock.startswith("the machine's clock: arithmetic takes 1.05")


@pytest.mark.parametrize(("column", "value"), [("machine", "n"), ("problem", "q 2"), ("undisturbed_seconds_per_step", np.nan)])
def test_what_is_never_judged_is_another_series(column, value):
    """One definition: `judge` gives no verdict where the series are two."""
    one, other = _made(runs=1), _made(runs=1, seed=1).assign(run="x", **{column: value})
    assert set(judge(one, other).table["verdict"]) == {"UNDECIDED"}
    assert judge(one, other).table["p"].isna().all()
    assert len(history.of_rows(pd.concat([one, other], ignore_index=True), ["slow"])) == 2
    assert len(SERIES) == 3


def test_a_run_is_judged_by_the_runs_before_it_alone():
    made = _made(lambda number: {"slow": 1 if number < 9 else 1.5 if number % 2 else 0.7})
    (whole,) = history.of_rows(made, ["slow"])
    (then,) = history.of_rows(made[made["run"].isin(made["run"].unique()[:9])], ["slow"])
    pd.testing.assert_frame_equal(whole.beside(8).table, then.beside(8).table)
    assert whole.beside(9).table["verdict"].tolist() == [SLOWER]


@pytest.mark.parametrize("damaged", ["", "[]", "{}", '{"time": 3, "sides": 1}'])
def test_facts_stand_beside_the_summary_and_a_damaged_record_says_nothing(tmp_path, damaged):
    folder = tmp_path / "20260102T030405Z"
    folder.mkdir()
    facts = {"time": "2026-01-02T03:05:00+00:00", "commit": "a", "system": "Linux 6", "sides": {"old": {"commit": "b"}}}
    (folder / "environment.json").write_text(json.dumps(facts))
    file = str(folder / "summary.csv")
    known = {"time": facts["time"], "commit": "a", "system": "Linux 6", "libc": ""}
    assert history._facts(file, "") == known
    assert history._facts(file, "old") == known | {"commit": "b"}
    (folder / "environment.json").write_text(damaged)
    assert history._facts(file, "") == {"time": "2026-01-02T03:04:05+00:00", "commit": "", "system": "", "libc": ""}


def test_without_ruptures_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ruptures", None)
    with pytest.raises(UsageError, match="needs ruptures of the extra `history`, which is not installed; run `"):
        history.of_rows(_made(runs=2))
