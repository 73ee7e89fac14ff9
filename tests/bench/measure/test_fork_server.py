"""If these fail, cases share a process, or one that dies takes others along or stays unexplained."""

import os
import re
import signal
import time
from dataclasses import replace

import numpy as np
import psutil
import pytest

from bench.machine import devices, resources
from bench.measure import conductor, process
from bench.measure.executor import ForkServer, Processes
from bench.measure.process import Failed
from bench.plan.sides import Side
from bench.settings import Settings
from tests.support import EVERYTHING, LIGHT, described, small_plan

SETTINGS = replace(Settings.from_env({}), timeout=20.0)


@pytest.fixture(autouse=True)
def light(monkeypatch, tmp_path):
    """Workers load only NumPy, and what a test puts into its folder."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((LIGHT["PYTHONPATH"], str(tmp_path))))


@pytest.fixture
def forks():
    """Starts a fork server and so many children of it, that have replied once; ends all of them."""
    started = []

    def start(number, libraries=("numpy",), threads=1):
        server = ForkServer(SETTINGS, Side(), libraries, threads=threads)
        started.append(server)
        for _ in range(number):
            started.append(server.fork(1 << 16))
            started[-1].ask("about", needed=[], packages=[])
        return started[-number - 1 :]

    yield start
    for each in reversed(started):
        each.end()


def _state(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0]


def _descriptors(pid):
    return [os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")]


def test_a_child_has_one_thread_and_its_own_session_region_and_streams(forks):
    _, one, other = forks(2, threads=2)
    for child in (one, other):
        assert os.listdir(f"/proc/{child.pid}/task") == [str(child.pid)]
        assert os.getsid(child.pid) == os.getpgid(child.pid) == child.pid
        kinds = [re.sub(r"[^a-z]|deleted", "", name) for name in _descriptors(child.pid)]
        assert [kinds.count(kind) for kind in ("pipe", "memfdstepbench", "socket")] == [2, 1, 0]
    for child, number in ((one, 1.0), (other, 2.0)):
        child.region.write([np.array([number])])
    read = [child.region.read([["float64", [1]]])[0].tolist() for child in (one, other)]
    assert read == [[1.0], [2.0]]
    one.stop()
    assert (_state(one.pid), other.ask("devices")["devices"]) == ("T", ["cpu"])
    one.resume()
    assert one.ask("devices")["status"] == "ok"


def _describe(child, folder, code, name="mine"):
    path = folder / f"{name}.py"
    path.write_text(code)
    child.ask("describe", path=str(path), devices=["cpu"])


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("os._exit(3)", "its process ended with exit code 3: last words"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "its process died of SIGSEGV"),
        ("os.closerange(3, 99); time.sleep(60)", "its process closed its streams without ending"),
    ],
)
def test_a_child_that_dies_says_how_and_harms_no_other(code, says, forks, tmp_path, monkeypatch):
    monkeypatch.setattr(process, "ENDING", 2.0)
    server, dying, other = forks(2)
    code = f"import os, signal, sys, time\nprint('first\\nlast words', file=sys.stderr)\n{code}\n"
    with pytest.raises(Failed, match=f"^{says}$"):
        _describe(dying, tmp_path, code)
    dying.end()
    assert not psutil.pid_exists(dying.pid)
    assert other.ask("devices")["status"] == "ok"
    later = server.fork(1 << 16)
    assert later.ask("devices")["status"] == "ok"
    later.end()


def test_nothing_is_left_of_a_server_that_ends(forks, tmp_path):
    server, child = forks(1)
    code = "import subprocess\nsubprocess.Popen(['sleep', '60'], start_new_session=True)\n1 / 0\n"
    with pytest.raises(Failed, match="division by zero"):
        _describe(child, tmp_path, code)
    processes = psutil.Process(server.pid).children(recursive=True)
    assert len(processes) == 2
    server.end()
    assert psutil.wait_procs(processes, timeout=10)[1] == []


def test_a_child_ends_with_its_server_and_says_so(forks):
    server, child = forks(1)
    os.kill(server.pid, signal.SIGKILL)
    psutil.Process(child.pid).wait(10)
    for ask in (lambda: child.ask("devices"), lambda: server.fork(1 << 16)):
        with pytest.raises(Failed, match="^its process died of SIGKILL: the system was out of memory, or somebody killed it$"):
            ask()


CHANGES = "import library\nassert not library.seen, 'changed before'\nlibrary.seen.append(1)\n1 / 0\n"


def test_what_a_case_changes_in_its_library_is_changed_for_no_other(forks, tmp_path):
    (tmp_path / "library.py").write_text("seen = []\n")
    _, one, other = forks(2, libraries=("library",))
    for child, name, says in ((one, "mine", "division by zero"), (other, "mine", "division"), (one, "again", "changed before")):
        with pytest.raises(Failed, match=says):
            _describe(child, tmp_path, CHANGES, name)


@pytest.fixture
def plan(tmp_path):
    """Two steps that need a library of their own; a test writes it."""
    backends = described("numpy_manual", "null")
    odd = [replace(backends["numpy_manual"], name=name, libraries=("library",)) for name in ("odd", "even")]
    return small_plan(backends | {each.name: each for each in odd})


@pytest.mark.parametrize(
    ("code", "python", "says"),
    [
        ("raise OSError('no libx.so')", "", "raised OSError: no libx.so at library.py:1"),
        ("import os; os._exit(4)", "", "its process ended with exit code 4"),
        ("", "/nowhere/python", "cannot be started: No such file or directory"),
    ],
)
def test_a_server_that_fails_fails_all_its_cases_and_no_other(code, python, says, plan, tmp_path):
    (tmp_path / "library.py").write_text(code)
    side = replace(plan.sides[0], python=python or plan.sides[0].python)
    with Processes(replace(plan, sides=(side,)), 1 << 20) as executor:
        executor.begin_pass(plan.cases)
        for case in plan.cases:
            if case.backend == "numpy_manual" and not python:
                assert executor.worker(case).ask("devices")["devices"] == ["cpu"]
                continue
            with pytest.raises(Failed, match=f"^{says}$"):
                executor.worker(case)


@pytest.mark.parametrize("limited", [True, False])
def test_the_kind_of_device_decides_whether_a_worker_has_a_memory_limit(limited, plan, monkeypatch):
    monkeypatch.setattr(devices, "PROCESSOR", "cpu" if limited else "another")
    with Processes(plan, 1 << 20) as executor:
        executor.begin_pass(plan.cases[:1])
        limit = psutil.Process(executor.worker(plan.cases[0]).pid).rlimit(psutil.RLIMIT_DATA)[0]
    assert (limit != -1) == limited


def test_workers_run_one_at_a_time_on_the_last_cores_and_the_conductor_elsewhere(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", EVERYTHING["PYTHONPATH"])  # a library with threads of its own
    profile = {"record": "profile"}  # a real one takes longer than all the rest
    monkeypatch.setattr(conductor.Conductor, "_profile", lambda *_: profile)
    plan = small_plan(described("numpy_manual", "torch_manual", "null"), blocks=1)
    before, cores = os.sched_getaffinity(0), resources.cores()
    pids = {}
    for record in conductor.measure(plan):
        servers = [each for each in psutil.Process().children() if "bench.worker" in each.cmdline()]
        workers = [worker for server in servers for worker in server.children()]
        if record["record"] != "visit":
            continue
        pids.setdefault(record["pass"], set()).update(worker.pid for worker in workers)
        assert (len(servers), len(workers)) == (2, 4)  # of two libraries, and the twin
        assert {_settled(worker.pid) for worker in workers} == {"T"}
        assert {tuple(worker.cpu_affinity()) for worker in workers} == {(cores[-1][0],)}
        if len(cores) > 1:
            assert not os.sched_getaffinity(0) & set(cores[-1])
    assert [len(each) for each in pids.values()] == [4, 4]
    assert not pids[0] & pids[1]
    assert os.sched_getaffinity(0) == before
    assert not [pid for pid in pids[0] | pids[1] if psutil.pid_exists(pid)]


def _settled(pid):
    """A process's state once a signal has reached it: that takes a while on a busy machine."""
    deadline = time.monotonic() + 5
    while _state(pid) != "T" and time.monotonic() < deadline:
        time.sleep(0.01)
    return _state(pid)
