"""If these fail, runs spoil each other's times unseen, or one measures on without a warning, or warns again and again."""

import io
import tempfile
import threading
from types import SimpleNamespace

from bench import session
from bench.settings import Settings
from bench.show import grid


def test_runs_see_each_other_and_none_waits_for_another(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen = []

    def second():
        with session.other_runs() as others:
            seen.extend([others(), others()])

    with session.other_runs() as others:
        assert not others()
        thread = threading.Thread(target=second, daemon=True)
        with session.other_runs():
            assert others()
            thread.start()
            thread.join(10)
        assert not others()
    assert seen == [True, True]


def test_each_warning_is_printed_once():
    out = io.StringIO()
    plan = SimpleNamespace(settings=Settings.from_env({}), cases=(), controls=(), visits=1)
    at = {"pass": 5, "at_seconds": 10.0}
    busy = {"record": "pass", "other_runs": 1, **at}
    uncounted = {"record": "profile", "uncounted": "memory of a step: needs memray.", **at}
    failure = {"record": "failure", "status": "wrong", "reason": "because.", **at}
    with session.progress(plan, grid.console(out, 200)) as advance:
        for record in (busy, {"record": "profile", **at}, uncounted, busy, uncounted, failure, {"record": "end", **at}):
            advance(record)
    left = "pass 5 of 10 done; about 10 s are left"
    warnings = [left, session.BUSY, "memory of a step: needs memray.", left, "wrong: because."]
    assert out.getvalue().splitlines()[1:] == warnings
