"""If these fail, a run is measured whose journal cannot be read."""

from dataclasses import replace

import pytest

from bench.machine import environment
from bench.plan.cases import Plan
from bench.plan.sides import Backend, Side
from bench.record import journal
from bench.record.journal import header
from bench.schema.case import Case
from bench.settings import Settings
from tests.made import PROBLEM, write

SETTINGS = replace(Settings.from_env({}), baseline="plain")
ANYWHERE = {"cpu": {"float32": None}}
PLAIN = Backend(
    "plain", "/plain.py", "class Plain: ...", "hash", "seed", None, ("numpy",), ("float32",),
    {"numpy": "2"}, ANYWHERE,
)  # fmt: skip
PEAK = replace(PLAIN, name="peak", kind="peak", work={"cpu": {"float32": (7, 9)}})
CASE = Case("plain", "cpu", "float32", 1, PROBLEM.default)
PLAN = Plan(SETTINGS, (Side(backends={"plain": PLAIN, "peak": PEAK}),), (CASE,), (), PROBLEM)


def test_the_header_of_this_machine_can_be_read_again(tmp_path):
    first = header(PLAN, environment.facts(), "m", "r", ["load: high."])
    assert journal.read(write([first], tmp_path)).header == first
    names = ("name", "kind", "proven", "selected", "baseline", "flops", "bytes")
    assert [[case[name] for name in names] for case in first["cases"]] == [
        ["plain", "seed", True, True, CASE.key, 25_984_000, 1_066_560],
        ["twin", "twin", True, False, CASE.key, 25_984_000, 1_066_560],
        ["peak", "peak", False, False, None, 7, 9],
    ]
    assert first["sources"] == {"hash": "class Plain: ..."}


def test_one_that_could_not_is_refused_before_anything_is_measured():
    """A quota of infinity, say, is no JSON."""
    facts = environment.facts() | {"cpu_quota": float("inf")}
    with pytest.raises(TypeError, match="machine.cpu_quota is inf, expected a number"):
        header(PLAN, facts, "m", "r")
