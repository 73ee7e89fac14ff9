"""If these fail, a run was not disturbed in the way that is said of it, or a neighbour outlives it."""

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from weather import CHUNK, KINDS, STREAMED, Neighbour, neighbours, weather

from bench.errors import UsageError
from bench.machine import resources

ROOT = Path(__file__).parent.parent.parent
FOUR = [[0, 4], [1, 5], [2, 6], [3, 7]]
DISTURBED = [name for name, kind in KINDS.items() if kind.work]
HERE = [name for name in DISTURBED if KINDS[name].on_workers_cpu or sum(map(len, resources.cores())) > 1]


def _first(name, seed=0, number=0, run_seconds=80.0, turns=500):
    schedule = Neighbour(name, str(seed), number, 0, run_seconds).schedule()
    return list(itertools.islice(schedule, turns))


def _running():
    children = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    return [child for child in children if "--neighbour" in child.cmdline()]


def _working(turns, start, end):
    """Seconds of work between two moments."""
    now, found = 0.0, 0.0
    for work, rest in turns:
        found += max(0.0, min(now + work, end) - max(now, start))
        now += work + rest
    assert now >= end
    return found


@pytest.mark.parametrize("name", DISTURBED)
def test_a_seed_repeats_its_schedule(name):
    assert _first(name, seed=7) == _first(name, seed=7)


@pytest.mark.parametrize("name", [name for name in DISTURBED if KINDS[name].on_workers_cpu])
def test_another_seed_and_another_neighbour_have_schedules_of_their_own(name):
    assert _first(name, seed=7) != _first(name, seed=8)
    assert _first(name, number=0) != _first(name, number=1)


def test_bursts_are_as_short_and_as_rare_as_the_page_says():
    turns = _first("burst", turns=20_000)
    assert 0.001 <= min(work for work, _ in turns) < 0.0011
    assert 0.09 < max(work for work, _ in turns) <= 0.1
    share = sum(work for work, _ in turns) / sum(map(sum, turns))
    assert share == pytest.approx(0.0215 / (0.0215 + 0.215), rel=0.05)  # means of what is even in its logarithm


@pytest.mark.parametrize(("name", "share"), [("half", 1 / 2), ("slow_process", 1 / 10)])
@pytest.mark.parametrize("start", [0, 33])
def test_a_share_of_a_run_is_disturbed_whenever_it_begins(name, share, start):
    for seed in range(20):
        assert _working(_first(name, seed), start, start + 80) <= 80 * share + 1e-9
        assert _working(_first(name, seed), start, start + 160) >= 80 * share
    assert _working(_first(name), 0, 80) == pytest.approx(80 * share)


def test_a_neighbour_sits_on_the_workers_cpu_or_keeps_off_it():
    assert [each.cpu for each in neighbours("burst", 0, 80, FOUR)] == [3]
    assert [each.cpu for each in neighbours("memory", 0, 80, FOUR)] == [5, 2, 6, 7]
    assert [each.cpu for each in neighbours("compute", 0, 80, [[0], [1]])] == [0]
    assert neighbours("calm", 0, 80, FOUR) == []


def test_one_cpu_alone_is_one_sentence():
    with pytest.raises(UsageError, match=r"^memory: needs a second CPU, .*; choose among calm, burst, half, slow_process\.$"):
        neighbours("memory", 0, 80, [[0]])
    assert [each.cpu for each in neighbours("burst", 0, 80, [[0]])] == [0]


def test_an_unknown_weather_names_the_nearest():
    with pytest.raises(UsageError, match="did you mean burst"), weather("bursts"):
        pass


@pytest.mark.parametrize("name", HERE)
def test_neighbours_are_where_they_were_told_and_gone_afterwards(name):
    with weather(name, run_seconds=0.2) as record:
        below = _running()
        assert sorted(process.cpu_affinity() for process in below) == sorted([each.cpu] for each in record.neighbours)
    assert not any(process.is_running() for process in below)
    assert len(record.cpu_seconds) == len(record.neighbours) > 0


def test_calm_has_no_neighbour():
    with weather("calm") as record:
        assert _running() == []
    assert record.cpu_seconds == []


def test_who_works_half_the_time_computes_more_than_who_bursts():
    """In CPU time over the same seconds; a neighbour may have to share its CPU, so the limits are wide."""
    spent = {}
    for name in ("half", "burst"):
        with weather(name, run_seconds=1.0) as record:
            before = [psutil.Process(child.pid).cpu_times().user for child in _running()]
            time.sleep(1.5)
        spent[name] = record.cpu_seconds[0] - before[0]
    assert spent["half"] > 0.2
    assert spent["burst"] < spent["half"]


@pytest.mark.skipif("memory" not in HERE, reason="one CPU alone")
def test_who_streams_holds_arrays_beyond_the_caches():
    with weather("memory"):
        held = [process.memory_info().rss for process in _running()]
    assert min(held) > 2 * STREAMED
    assert STREAMED % CHUNK == 0


def test_a_neighbour_that_ended_on_its_own_is_told():
    made = weather("burst")
    made.__enter__()
    (child,) = _running()
    child.kill()
    child.wait()
    with pytest.raises(RuntimeError, match="a neighbour ended on its own"):
        made.__exit__(None, None, None)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_neighbours_end_with_whoever_started_them(number):
    command = [sys.executable, "tools/instrument/weather.py", "half", "--seconds", "60"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout.readline().startswith("half on CPU")
        (child,) = psutil.Process(parent.pid).children()
        os.kill(parent.pid, number)
        parent.wait()
        _, alive = psutil.wait_procs([child], timeout=10)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
