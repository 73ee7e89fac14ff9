"""If these fail, a sick node passes for a sound one, or a sound one is called slow because it was measured another way."""

import numpy as np
import pandas as pd
import pytest

from bench.analyse import equals
from bench.analyse.verdicts import verdicts

WITHIN = 0.0015**2
"""What the processes of a run predict, as on the machines whose runs are committed."""


def rows(times, machine="m", device="cpu", backends=("numpy_manual", "torch_manual"), status="ok"):
    """A row for each node and backend; `times` maps a node to its seconds, the second backend takes twice as long."""
    return pd.DataFrame(
        {
            "node": node, "machine": machine, "run": f"{machine}/{node}", "backend": backend, "device": device,
            "dtype": "float32", "threads": 1, "shape": "64x1000x100x10", "side": "",
            "kind": "seed", "status": status, "seconds_per_step": np.nan,
            "undisturbed_seconds_per_step": seconds * (1 + number), "relative_error": 0.0015,
            "source_hash": "", "versions": "", **dict.fromkeys(equals.SAME, ""),
        }
        for node, seconds in times.items() for number, backend in enumerate(backends)
    )  # fmt: skip


def judge(table):
    """Within a margin in which a handful of nodes can be called equal."""
    return equals.judge(table, margin=0.02).set_index("node")


def called(seed, nodes, spread, slow=0.0, slowed=1):
    """The verdicts on nodes whose runs differ by so much, the first of which are slower."""
    logs = np.random.default_rng(seed).normal(0, spread, nodes)
    logs[:slowed] += np.log1p(slow)
    return [verdict for verdict, _ in verdicts(equals.beside([*logs], WITHIN))]


@pytest.mark.parametrize(("nodes", "slowed"), [(3, 1), (5, 1), (8, 1), (40, 1), (8, 2)])
def test_nodes_that_are_3_percent_slower_are_named_and_no_other(nodes, slowed):
    found = [called(seed, nodes, 0.002, 0.03, slowed) for seed in range(200)]
    assert np.mean([each[:slowed] == ["SLOWER"] * slowed for each in found]) > (0.9 if slowed == 1 else 0.95)
    assert np.mean([bool({"SLOWER", "FASTER"} & {*each[slowed:]}) for each in found]) < 0.03


@pytest.mark.parametrize("nodes", [2, 3, 5, 8, 40])
def test_equal_nodes_are_called_different_in_one_table_of_a_hundred_at_most(nodes):
    """At the spread that the prior expects of runs; a simulation of 400 tables, so that 3 % are beyond chance."""
    spread = np.sqrt(1.5**2 * WITHIN + 0.003**2)
    found = [called(seed, nodes, spread) for seed in range(400)]
    assert np.mean([bool({"SLOWER", "FASTER"} & {*each}) for each in found]) < 0.03


def test_where_equals_differ_a_lot_nobody_stands_out():
    """Of 16 virtual machines whose neighbours make their runs differ by 3 %, one that is 3 % slower is nobody's fault."""
    assert np.mean(["SLOWER" in called(seed, 16, 0.03, 0.03) for seed in range(100)]) < 0.1


def test_the_ratio_is_to_the_median_of_the_others_over_all_their_steps_and_runs():
    found = judge(rows({"a": 1.00e-4, "b": 1.01e-4, "c": 1.02e-4, "d": 1.30e-4}))
    assert found.loc["d", "ratio"] == pytest.approx(1.30 / 1.01)
    assert found.loc["a", "ratio"] == pytest.approx(1.00 / 1.02)
    assert found.loc["d", ["verdict", "equals", "cases"]].tolist() == ["SLOWER", 3, 2]
    assert found.loc["d", "ratio_low"] < 1.30 / 1.01 < found.loc["d", "ratio_high"]
    again = rows({"d": 1.3e-4}).assign(run="m/d2")
    found = judge(pd.concat([rows({"a": 1e-4, "b": 1e-4, "c": 1e-4, "d": 1e-4}), again]))
    assert found.loc["d", "ratio"] == pytest.approx(1.3**0.5), "several runs of a node are their mean"


def test_only_steps_that_were_proven_and_that_all_have_count():
    """Relative to the fixed work a throttled machine would be as quick as ever."""
    times = {"a": 1e-4, "b": 1e-4, "c": 1e-4, "d": 1.05e-4}
    work = rows(times, backends=("arithmetic",)).assign(kind="guard")
    found = judge(pd.concat([rows(times), work, rows({"e": 1e-4}, status="wrong")]))
    assert found["verdict"].to_dict() == {"a": "EQUAL", "b": "EQUAL", "c": "EQUAL", "d": "SLOWER"}
    assert set(found["cases"]) == {2}
    table = rows({"a": 1e-4, "b": 1e-4, "c": 1e-4})
    table = table[(table["node"] != "c") | (table["backend"] != "torch_manual")]
    table.loc[(table["node"] == "b") & (table["backend"] == "torch_manual"), "undisturbed_seconds_per_step"] *= 2
    found = judge(table)
    assert (found["cases"].tolist(), found["verdict"].tolist()) == ([1] * 3, ["EQUAL"] * 3)
    assert judge(table.iloc[:0]).empty


def test_times_of_two_models_or_devices_are_not_judged_by_each_other():
    found = judge(pd.concat([rows({"a": 1e-4, "b": 1e-4, "c": 1e-4}), rows({"x": 9e-4}, machine="other")]))
    assert found.loc["x", ["verdict", "reason", "equals"]].tolist() == ["", equals.FEW[1], 0]
    assert np.isnan(found.loc["x", "ratio"])
    gpus = judge(pd.concat([rows({"a": 1e-4, "b": 1e-4}), rows({"a": 1e-5, "b": 1.1e-5}, device="cuda:0")]))
    assert gpus["verdict"].tolist() == ["EQUAL", "EQUAL", "FASTER", "SLOWER"]
    assert set(gpus["reason"]) == {equals.FEW[2]}


def test_a_node_with_another_library_setting_or_source_is_judged_apart_and_that_is_said():
    table = rows(dict.fromkeys("abcd", 1e-4) | {"e": 1.2e-4, "f": 1.2e-4}).assign(versions="torch==2.13", kernels="default")
    other, more = table["node"].isin([*"ef"]), (table["node"] == "f") & (table["backend"] == "numpy_manual")
    table.loc[other, "versions"], table.loc[more, "versions"] = "torch==2.12", "torch==2.12 jax==1"
    table.loc[table["node"] == "d", "kernels"] = ""
    found = judge(table)
    apart = "torch 2.12 where most of its model have 2.13"
    assert found["apart"].to_dict() == dict.fromkeys("abcd", "") | dict.fromkeys("ef", apart)
    assert found["verdict"].to_dict() == dict.fromkeys("abcdef", "EQUAL"), "f has jax, which no other one says anything about"
    assert found["equals"].to_dict() == dict.fromkeys("abcd", 3) | dict.fromkeys("ef", 1)
    table = rows(dict.fromkeys("abc", 1e-4)).assign(steps_per_round=[20, 10, 20, 10, 20, 20], source_hash=[*"vwvwvx"])
    assert judge(table).loc["c", "apart"] == (
        "steps_per_round 20 where most of its model have 10, 20; source of torch_manual x where most of its model have w"
    )


def test_the_spread_is_never_less_than_what_processes_predict():
    """A hundred nodes that happen to agree to the last digit know no more of each than its own processes do."""
    assert equals.beside([0.0] * 100, WITHIN)[0].error >= WITHIN**0.5
    assert np.isinf(equals.beside([0.0] * 100, np.nan)[0].error), "where no process says how much it differs"
