"""If these fail, a run is measured whose journal nobody could read."""

import json
from dataclasses import replace

import pytest

from bench.machine import environment
from bench.plan.cases import Plan
from bench.plan.sides import Backend, Side
from bench.record import journal
from bench.record.header import header
from bench.schema.case import Case, Shape
from bench.settings import Settings

PLAN = Plan(Settings.from_env({}), (Side(),), (), ())


def test_the_header_of_this_machine_can_be_read_again(tmp_path):
    first = header(PLAN, environment.facts(), "m", "r", ["load: high."])
    (tmp_path / journal.NAME).write_text(json.dumps(first) + "\n")
    assert journal.read(tmp_path).header == first


def test_one_that_could_not_is_refused_before_anything_is_measured():
    """A quota of infinity, say, is no JSON."""
    with pytest.raises(TypeError, match="nobody could read this run's header: machine.cpu_quota is inf, expected a number"):
        header(PLAN, environment.facts() | {"cpu_quota": float("inf")}, "m", "r")


def test_ranks_have_the_work_of_the_batch_and_all_weights_each():
    shared = Backend("shared", "shared.py", "", "x", "rung", None, ("numpy",), ("float32",), {}, {"cpu": {"float32": None}})
    side = Side(backends={"plain": replace(shared, name="plain"), "shared": replace(shared, parallel=True)})
    cases = tuple(Case("shared", "cpu", "float32", 1, Shape(64, 1000, 100, 10), ranks=ranks) for ranks in (1, 2))
    plan = Plan(replace(Settings.from_env({}), baseline="plain"), (side,), cases, ())
    told = header(plan, environment.facts(), "m", "r")["cases"]
    one, two, part = (case for case in told if case["name"] == "shared")
    assert [each["ranks"] for each in (one, two, part)] == [1, 2, 1]
    assert one["flops"] == two["flops"] == 2 * part["flops"]
    weights = 4 * 2 * (1000 * 100 + 100 * 10)
    assert two["bytes"] == one["bytes"] + weights == 2 * part["bytes"]
    plain = one["key"].replace("shared", "plain")
    assert [each["baseline"] for each in (one, two, part)] == [plain, plain, None], "nobody asked for the part"
