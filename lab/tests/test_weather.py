"""If these fail, a run was disturbed in another way than recorded, or a neighbour outlives it."""

import itertools
import os
import signal
import subprocess
import sys

import psutil
import pytest

from bench.errors import UsageError
from bench.machine import resources
from bench.paths import ROOT
from lab.weather import KINDS, Neighbour, neighbours, weather

FOUR = [[0, 4], [1, 5], [2, 6], [3, 7]]
CPUS = sum(map(len, resources.cores()))
HERE = [name for name, kind in KINDS.items() if kind.work and (kind.on_workers_cpu or CPUS > 1)]


def schedule(name, seed=0, number=0, turns=500):
    return [*itertools.islice(Neighbour(name, str(seed), number, 0, 80.0).schedule(), turns)]


def children():
    found = psutil.Process().children()
    return [child for child in found if "--neighbour" in child.cmdline()]


@pytest.mark.parametrize("name", ["burst", "half", "slow_process"])
def test_a_schedule_follows_from_its_seed_and_number(name):
    assert schedule(name, seed=7) == schedule(name, seed=7)
    assert schedule(name, seed=7) != schedule(name, seed=8)
    assert schedule(name, number=0) != schedule(name, number=1)


def test_bursts_last_1_to_100_ms_and_take_a_tenth_of_the_time():
    turns = schedule("burst", turns=20_000)
    work = [work for work, _ in turns]
    assert (min(work), max(work)) == (pytest.approx(0.001, rel=0.1), pytest.approx(0.1, rel=0.1))
    share = 0.0215 / (0.0215 + 0.215)  # means of log-uniform times
    assert sum(work) / sum(map(sum, turns)) == pytest.approx(share, rel=0.05)


@pytest.mark.parametrize(("name", "share"), [("half", 1 / 2), ("slow_process", 1 / 10)])
def test_one_stretch_of_each_run_is_disturbed(name, share):
    (_, wait), *turns = schedule(name)
    assert turns == [(pytest.approx(80 * share), pytest.approx(80 * (1 - share)))] * 499
    waits = [schedule(name, seed, turns=1)[0][1] for seed in range(99)]
    assert 0 <= min(waits) < wait < max(waits) <= 80 * (1 - share)


def test_lasting_neighbours_keep_off_the_workers_cpu():
    assert [each.cpu for each in neighbours("burst", 0, 80, FOUR)] == [3]
    assert [each.cpu for each in neighbours("memory", 0, 80, FOUR)] == [5, 2, 6, 7]
    assert [each.cpu for each in neighbours("compute", 0, 80, [[0], [1]])] == [0]
    assert neighbours("calm", 0, 80, FOUR) == []


def test_impossible_and_unknown_weathers_are_one_sentence():
    fitting = "choose among calm, burst, half, slow_process."
    with pytest.raises(UsageError, match=f"^memory: needs a second CPU; {fitting}$"):
        neighbours("memory", 0, 80, [[0]])
    with pytest.raises(UsageError, match="did you mean burst"):
        neighbours("bursts", 0, 80)


@pytest.mark.parametrize("name", HERE)
def test_neighbours_run_on_their_cpus_and_end_with_the_block(name):
    with weather(name, run_seconds=0.2) as record:
        running = children()
        cpus = sorted(process.cpu_affinity() for process in running)
    assert cpus == sorted([each.cpu] for each in record.neighbours)
    assert not any(process.is_running() for process in running)
    assert len(record.cpu_seconds) == len(cpus) > 0
    assert min(record.cpu_seconds) > 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_neighbours_end_with_their_parent(number):
    command = [sys.executable, "-m", "lab.weather", "half", "--seconds", "60"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout.readline().startswith("half on CPU")
        (child,) = psutil.Process(parent.pid).children()
        os.kill(parent.pid, number)
        parent.wait()
        _, alive = psutil.wait_procs([child], timeout=10)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
