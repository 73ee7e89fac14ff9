"""If these fail, a run is measured whose journal nobody could read."""

import json

import pytest

from bench.machine import environment
from bench.plan.cases import Plan
from bench.plan.sides import Side
from bench.record import journal
from bench.record.header import header
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
