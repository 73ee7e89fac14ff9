"""If these fail, a run measures on without a warning, or warns again and again."""

import io
from types import SimpleNamespace

from bench.measure import progress
from bench.settings import Settings
from bench.show import grid


def test_each_warning_is_printed_once():
    out = io.StringIO()
    plan = SimpleNamespace(settings=Settings.from_env({}), cases=(), controls=(), visits=1)
    busy = {"record": "pass", "pass": 0, "other_runs": 1}
    uncounted = {"record": "profile", "uncounted": "memory of a step: needs memray."}
    fine = {"record": "profile", "case": "b"}
    with progress.shown(plan, grid.console(out, 200)) as advance:
        for record in (busy, fine, uncounted, busy, uncounted, {"record": "end", "pass": 0}):
            advance(record)
    assert out.getvalue().splitlines()[1:] == [
        "busy: 1 other run of stepbench is measuring on this machine; all will be noisy.",
        "memory of a step: needs memray.",
    ]
