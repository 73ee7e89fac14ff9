"""If these fail, a worker outlives its run, or its replies are misread."""

import os
import select
import signal
import time

import psutil
import pytest

from bench.measure import process
from bench.measure.executor import module_launch
from bench.measure.process import Failed, Process


@pytest.fixture
def starts(tmp_path):
    """Starts a process that runs this code at its first request, as the conductor holds it."""
    started = []

    def start(code, timeout=20.0):
        lines = f"import os, sys, time\nsys.stdin.readline()\n{code}\ntime.sleep(60)\n"
        (tmp_path / "says.py").write_text(lines)
        env = os.environ | {"PYTHONPATH": str(tmp_path)}
        started.append(Process(module_launch("says", {}, env), timeout, 1 << 12))
        return started[-1]

    yield start
    for each in started:
        each.end()
        assert not psutil.pid_exists(each.pid)


OK = "os.write(1, b'{\"status\": \"ok\"}\\n')"


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("os.write(1, b'{\"status\"')", "hung: no answer within 1 s"),
        ("os.write(1, b'{\"status\": 1}\\n')", "sent a malformed reply"),
        (f"{OK[:-1]} * 2)", "sent a malformed reply"),
        ("while True: os.write(1, b'x' * (1 << 20))", "answers with more than"),
        ("os.write(1, b'[' * 50_000 + b'\\n')", "sent a malformed reply"),
        ("os.close(1); sys.exit('a\\nb')", "its process ended with exit code 1: b"),
        ("os.close(1); os.abort()", "its process died of SIGABRT"),
    ],
    ids=["half a line", "no status", "two", "a flood", "nested", "exits", "aborts"],
)
def test_anything_but_a_reply_ends_the_conversation_with_a_sentence(code, says, starts, monkeypatch):
    monkeypatch.setattr(process, "LONGEST", 1 << 22)
    monkeypatch.setattr(process, "ENDING", 1)
    saying = starts(code, timeout=1.0 if "hung" in says else 20.0)
    with pytest.raises(Failed, match=f"^{says}"):
        saying.ask("anything")


def test_a_process_that_has_died_before_it_is_asked_says_how(starts):
    saying = starts(OK)
    saying.ask("anything")
    os.kill(saying.pid, signal.SIGKILL)
    with pytest.raises(Failed, match="^its process died of SIGKILL: the system was out of memory"):
        saying.ask("anything")


def test_a_reply_before_the_request_ends_the_conversation(starts):
    code = f"import signal\nsignal.signal(signal.SIGUSR1, lambda *_: {OK})\n{OK}"
    saying = starts(code)
    assert saying.ask("anything") == {"status": "ok"}
    os.kill(saying.pid, signal.SIGUSR1)
    assert select.select([saying._replies], [], [], 10)[0]
    with pytest.raises(Failed, match="^sent a reply without being asked"):
        saying.ask("anything")


def test_characters_that_no_file_could_hold_are_replaced(starts):
    said = r"""print('{"status": "ok", "a": [{"\ud800": "\u001b[2J\n\u00e9"}]}', flush=True)"""
    saying = starts(said.replace("\\", "\\\\"))
    assert saying.ask("anything")["a"] == [{"\ufffd": "\ufffd[2J\n\u00e9"}]


SPINS = f"""
if not (child := os.fork()):
    os.setsid()
    {OK}
    while True: pass
"""


def test_a_child_that_leaves_its_group_is_ended_with_the_stop(starts):
    """A signal to the group does not reach it, and it would run while others are timed."""
    saying = starts(SPINS)
    saying.ask("anything")
    (child,) = psutil.Process(saying.pid).children()
    saying.stop()
    deadline = time.monotonic() + 5
    while child.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.01)
    assert child.status() == psutil.STATUS_ZOMBIE, "of a parent that is stopped"
