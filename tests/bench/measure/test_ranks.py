"""If these fail, a data-parallel step is timed that is wrong in some rank, or its ranks outlive it."""

import os
import re
import signal
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from bench.errors import UsageError
from bench.machine import resources
from bench.measure import conductor, ranks
from bench.measure.catalogue import catalogue
from bench.measure.process import Died, Process
from bench.measure.ranks import Ranks, Sum, together
from bench.plan.cases import make_plan
from bench.plan.sides import Side
from bench.settings import Settings
from tests.support import LIGHT

RANKS = Path(__file__).parents[2] / "ranks"
NAMES = sorted(path.stem for path in RANKS.glob("[a-z]*.py") if "SAYS" in path.read_text())
SLOW = [name for name in NAMES if "BENCH_TIMEOUT" in (RANKS / f"{name}.py").read_text()]
TWO_CORES = pytest.mark.skipif(len(resources.cores()) < 2, reason="two ranks need two cores")


def _plan(monkeypatch, *names):
    monkeypatch.setenv("PYTHONPATH", LIGHT["PYTHONPATH"])
    files = tuple(RANKS / f"{name}.py" for name in names)
    settings = replace(
        Settings.from_env({}), path=files, backends=names, devices=("cpu",), processes=2, blocks=1, steps=4, ranks=(2,),
        sandbox="off",
    )  # fmt: skip
    plan = make_plan(settings, *catalogue(settings))
    return replace(plan, cases=tuple(case for case in plan.cases if case.shape.N == 64))


@pytest.fixture(scope="module")
def verdicts():
    with pytest.MonkeyPatch.context() as patch:
        others = [name for name in NAMES if name not in SLOW]
        slow = _plan(patch, *SLOW)
        plans = [_plan(patch, "right_in_ranks", *others), replace(slow, settings=replace(slow.settings, timeout=4.0))]
        return {key.partition("-")[0]: record for plan in plans for key, record in conductor.prove(plan).items()}


@TWO_CORES
@pytest.mark.parametrize("name", NAMES)
def test_a_sabotaged_rank_is_rejected_for_what_is_wrong_with_it(name, verdicts):
    says = re.search(r'SAYS = r"(.*)"', (RANKS / f"{name}.py").read_text())[1]
    record = verdicts[name]
    assert record["record"] == "failure", f"{name} went through the gate"
    assert re.search(says, record["reason"]), record["reason"]
    assert record["reason"].startswith(f"{name}[cpu, float32, 2 ranks] ")
    assert record["status"] == ("wrong" if "updates" in says else "failed")


@TWO_CORES
def test_right_ranks_are_right(verdicts):
    assert verdicts["right_in_ranks"]["record"] == "open"
    assert verdicts["right_in_ranks"]["errors"]["w1"] < 1e-5


def _ranks():
    """Rank → process."""
    found = {}
    for process in psutil.Process().children():
        with suppress(psutil.Error):  # one that was killed a moment ago
            if "bench.worker" in process.cmdline() and process.environ().get("WORLD_SIZE"):
                found[int(process.environ()["RANK"])] = process
    return found


@TWO_CORES
@pytest.mark.parametrize("killed", [0, 1])
def test_a_rank_that_is_killed_fails_its_case_and_leaves_nobody(killed, monkeypatch):
    plan = _plan(monkeypatch, "right_in_ranks")
    records, pids = [], set()
    for record in conductor.measure(plan, controls=False):
        records.append(record)
        found = _ranks()
        pids |= {process.pid for process in found.values()}
        if record["record"] == "open" and record["case"].startswith("right_in_ranks") and record["case"].endswith("2ranks"):
            assert sorted(found) == [0, 1]
            os.kill(found[killed].pid, signal.SIGKILL)
    assert len(pids) == 2, "and no others were started for it"
    assert not any(map(psutil.pid_exists, pids))
    (failure,) = [record for record in records if record["record"] == "failure"]
    assert f"[cpu, float32, 2 ranks] rank {killed}: its process died of SIGKILL" in failure["reason"]
    assert records[-1]["record"] == "end"


@TWO_CORES
def test_each_rank_has_cores_of_its_own_and_nobody_is_left(monkeypatch):
    plan = _plan(monkeypatch, "right_in_ranks")
    cores = [core[0] for core in resources.cores()]
    visits, audited = [], []
    monkeypatch.setattr(conductor.audit, "fault", lambda *told: audited.append(told[2]))
    for record in conductor.measure(plan, controls=False):
        if record["record"] == "visit":
            visits.append(record)
            assert {rank: each.cpu_affinity() for rank, each in _ranks().items()} == {0: cores[-2:-1], 1: cores[-1:]}
    assert len(visits) == 2
    assert all(visit["errors"]["w1"] < 1e-5 for visit in visits)
    assert audited == [2, 2], "after each pass, ranks times threads"
    assert not _ranks()


class Answers:
    """A rank that answers once, and then closes the conversation or speaks on."""

    def __init__(self, *lines, silent=False):
        self.out, self.into = os.pipe()
        self.lines, self.awake_seconds, self.pid, self.region, self.counters = [*lines], 0.0, 0, None, None
        if not silent:
            os.write(self.into, b"x" * len(lines))

    def fileno(self):
        return self.out

    def receive(self):
        os.read(self.out, 1)
        line = self.lines.pop(0)
        if isinstance(line, Died):
            raise line
        return line

    def unasked(self):
        return "spoke unasked"

    def end(self):
        os.close(self.out)
        os.close(self.into)


def _held(monkeypatch, *members, timeout=0.2):
    waiting = iter(members)
    monkeypatch.setattr(Process, "worker", lambda *_, **__: next(waiting))
    monkeypatch.setattr(ranks, "CAUSE", 0.1)
    return Ranks(len(members), Side(), replace(Settings.from_env({}), timeout=timeout), 1, [0], None, 64)


OK, WRONG, FAILED = {"status": "ok"}, {"status": "wrong", "reason": "is wrong"}, {"status": "failed", "reason": "raised"}


@pytest.mark.parametrize(
    ("members", "says"),
    [
        (lambda: [Answers(OK, OK), Answers(silent=True)], "rank 0: spoke unasked"),
        (lambda: [Answers(OK), *(Answers(silent=True) for _ in range(2))], "hung: no answer from rank 1 and rank 2 within 0.2"),
        (lambda: [Answers(silent=True), Answers(silent=True)], "hung: no answer from any rank within 0.2 s"),
        (lambda: [Answers(FAILED), Answers(Died("died"))], "rank 1: died"),
    ],
)
def test_nobody_waits_for_a_rank_longer_than_was_said(members, says, monkeypatch):
    held = _held(monkeypatch, *members())
    try:
        with pytest.raises(Died, match=says):
            held.receive()
    finally:
        held.end()


def test_the_first_rank_that_failed_is_told_and_nobody_waits_for_the_others(monkeypatch):
    held = _held(monkeypatch, Answers(silent=True), Answers(WRONG), Answers(FAILED), timeout=60.0)
    try:
        before = time.monotonic()
        assert held.receive() == {"status": "wrong", "reason": "rank 1: is wrong"}
        assert time.monotonic() - before < 10
    finally:
        held.end()


def test_ranks_that_cannot_all_be_started_are_ended(monkeypatch):
    started = Answers(silent=True)
    ended = []
    monkeypatch.setattr(started, "end", lambda: ended.append(started))

    def worker(*_, place, **__):
        if place[0]:
            raise OSError("no more processes")
        return started

    monkeypatch.setattr(Process, "worker", worker)
    with pytest.raises(OSError, match="no more processes"):
        Ranks(2, Side(), Settings.from_env({}), 1, [0], None, 64)
    assert ended == [started]
    Answers.end(started)


def test_events_of_all_ranks_add_up_where_all_counted_them():
    reads = ({"instructions": 3, "cycles": 5}, {"instructions": 4})
    assert Sum([SimpleNamespace(read=lambda read=read: read) for read in reads]).read() == {"instructions": 7}


def test_the_slowest_rank_speaks_for_all():
    replies = [{"seconds": 2.0, "calls": [2.0]}, {"seconds": 3.0, "calls": [3.0]}, {"seconds": 1.0, "calls": [1.0]}]
    assert together(replies) == replies[1]
    assert together([{"first_step_seconds": 1.0, "marks": True}, {"first_step_seconds": 2.0, "marks": False}])["marks"] is False


def test_arrays_come_one_after_the_other_and_losses_add_up():
    replies = [{"arrays": [["float32", [number]]], "losses": [1.0, number], "readback_seconds": 0.1} for number in (1, 2)]
    assert together(replies) == {"arrays": [["float32", [1]], ["float32", [2]]], "losses": [2.0, 3.0], "readback_seconds": 0.1}


@pytest.mark.parametrize("told", ["soon", None, True, [1.0]])
def test_a_time_that_is_none_speaks_for_all_so_that_it_is_refused(told):
    assert together([{"seconds": 5.0}, {"seconds": told}])["seconds"] is told


@pytest.mark.parametrize("losses", [5, ["a"], [1.0, 2.0]])
def test_losses_that_do_not_add_up_are_none(losses):
    assert together([{"losses": [1.0]}, {"losses": losses}])["losses"] is None


def test_ranks_are_whole_numbers():
    with pytest.raises(UsageError, match="BENCH_RANKS=0: expected whole numbers of at least 1"):
        Settings.from_env({"BENCH_RANKS": "0"})
