"""If these fail, a run measures on in silence where it ought to warn, or warns again and again."""

import io

from bench.measure import progress
from bench.plan.cases import Plan
from bench.settings import Settings
from bench.show import grid


def test_each_warning_is_printed_once():
    out = io.StringIO()
    plan = Plan(Settings.from_env({}), (), (), ())
    busy = {"record": "pass", "pass": 0, "other_runs": 1}
    uncounted = {"record": "profile", "pass": 0, "case": "a", "uncounted": "memory of a step: needs memray."}
    fine = {"record": "profile", "pass": 0, "case": "b"}
    with progress.shown(plan_without_controls(plan), grid.console(out, 200)) as advance:
        for record in (busy, fine, uncounted, busy, uncounted, {"record": "end", "pass": 0}):
            advance(record)
    printed = out.getvalue().splitlines()[1:]
    assert printed == [
        "busy: 1 other run of stepbench is measuring on this machine; all will be noisy.",
        "memory of a step: needs memray.",
    ]


def plan_without_controls(plan):
    class Empty(Plan):
        controls = ()

    return Empty(plan.settings, plan.sides, plan.cases, plan.holes)
