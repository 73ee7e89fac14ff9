"""If these fail, a worker starts in another environment than it was promised, or outlives its run."""

import os
import select
import signal
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from bench.machine import environment, resources
from bench.measure import process
from bench.measure.process import Died, Process, worker_environment
from bench.measure.rounds import AWAKE
from bench.plan.sides import Side
from bench.settings import Settings


def test_thread_and_allocator_settings_are_in_the_environment_before_start():
    env = worker_environment(2, "pinned", {"BENCH_STEPS": "5", "OMP_NUM_THREADS": "7", "HOME": "/"})
    assert {env[name] for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")} == {"2"}
    assert env["MALLOC_TRIM_THRESHOLD_"] == env["MALLOC_MMAP_THRESHOLD_"] == "268435456"
    assert "BENCH_STEPS" not in env
    assert env["HOME"] == "/"
    assert "MALLOC_TRIM_THRESHOLD_" not in worker_environment(1, "system", {"MALLOC_TRIM_THRESHOLD_": "1"})


def test_a_worker_is_no_rank_of_those_that_its_run_was_started_in():
    env = worker_environment(1, "pinned", {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "HOME": "/"})
    assert not {"RANK", "WORLD_SIZE", "LOCAL_RANK"} & set(env)


def test_what_chooses_kernels_reaches_a_worker_and_is_recorded(monkeypatch):
    """Else two runs could differ twofold in every product, and neither would say why."""
    chosen = {"OPENBLAS_CORETYPE": "SKYLAKEX", "ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
    for name in environment.KERNEL_CHOICES:
        monkeypatch.delenv(name, raising=False)
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    assert worker_environment(1, "pinned").items() >= chosen.items()
    assert environment.facts()["kernel_choices"] == chosen

SETTINGS = replace(Settings.from_env({}), timeout=20.0)


@pytest.fixture
def worker():
    with Process.worker(Side(), SETTINGS, cpus=resources.cores()[-1]) as started:
        yield started


def test_the_worker_reads_back_its_threads_and_runs_where_it_was_told(worker):
    assert worker.ask("devices")["devices"][0] == "cpu"
    assert psutil.Process(worker.pid).cpu_affinity() == resources.cores()[-1]


def test_a_suspended_worker_can_be_resumed_and_ended(worker):
    worker.ask("devices")
    worker.suspend()
    deadline = time.monotonic() + 5  # a signal takes its time on a busy machine
    while psutil.Process(worker.pid).status() != psutil.STATUS_STOPPED and time.monotonic() < deadline:
        time.sleep(0.01)
    assert psutil.Process(worker.pid).status() == psutil.STATUS_STOPPED
    worker.resume()
    assert worker.ask("devices")["status"] == "ok"
    worker.suspend()
    worker.end()
    assert not psutil.pid_exists(worker.pid)


def test_a_dead_worker_says_how_it_died(worker):
    os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(Died, match="its process died of SIGKILL"):
        worker.ask("devices")


def test_an_exit_code_comes_with_the_last_line_it_printed(worker):
    with pytest.raises(Died, match=r"ended with exit code 1: AttributeError: .*nonsense"):
        worker.ask("nonsense")


def test_a_cpu_worker_gets_its_memory_limit():
    with Process.worker(Side(), SETTINGS, memory=2**31) as limited:
        limited.ask("devices")
        with open(f"/proc/{limited.pid}/limits") as limits:
            (line,) = [line for line in limits if line.startswith("Max data size")]
    assert line.split()[3:5] == [str(2**31)] * 2


def _says(code, timeout=20.0):
    """A process that runs this code instead of a worker's, as the conductor holds it."""

    folder = tempfile.mkdtemp()
    (Path(folder) / "says.py").write_text(f"import os, sys, time\nsys.stdin.readline()\n{code}\ntime.sleep(60)\n")
    return Process("says", {}, os.environ | {"PYTHONPATH": folder}, timeout, 1 << 12)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("os.write(1, b'{\"status\"')", "hung: no answer within 1 s"),
        ("os.write(1, b'[1]\\n')", "something else than one reply"),
        ("os.write(1, b'{\"status\": \"ok\"}\\n{\"status\": \"ok\"}\\n')", "something else than one reply"),
        ("while True: os.write(1, b'x' * (1 << 20))", "answers with more than"),
        ("os.close(1)", "closed the conversation without ending"),
    ],
    ids=["half a line", "no object", "two replies", "a flood", "nothing any more"],
)
def test_whatever_is_said_instead_of_a_reply_ends_the_conversation(code, says, monkeypatch):
    monkeypatch.setattr(process, "LONGEST", 1 << 22)
    monkeypatch.setattr(process, "ENDING", 1)
    with _says(code, timeout=1.0 if "hung" in says else 20.0) as saying, pytest.raises(Died, match=says):
        saying.ask("anything")


SAYS_MORE = """
import signal
def say(*_): os.write(1, b'{"status": "ok"}\\n')
signal.signal(signal.SIGUSR1, say)
say()
"""


def test_a_reply_before_the_question_ends_the_conversation():
    with _says(SAYS_MORE) as saying:
        assert saying.ask("anything") == {"status": "ok"}
        os.kill(saying.pid, signal.SIGUSR1)
        assert select.select([saying.fileno()], [], [], 10)[0]
        with pytest.raises(Died, match="spoke without being asked"):
            saying.ask("anything")


SPINS = """
if not (child := os.fork()):
    {leaves}
    os.write(1, b'{{"status": "ok"}}\\n')
    while True: pass
"""


def test_cpu_time_is_that_of_children_too():
    with _says(SPINS.format(leaves="pass")) as saying:
        saying.ask("anything")
        before, deadline = saying.cpu_seconds(), time.monotonic() + 5  # beside other work it gets a part of a core
        while saying.cpu_seconds() - before <= 0.1:
            assert time.monotonic() < deadline
            time.sleep(0.05)


ENDS = """
if not os.fork():
    while time.process_time() < 0.3: pass
    os._exit(0)
os.wait()
os.write(1, b'{"status": "ok"}\\n')
"""


def test_cpu_time_is_that_of_children_too_that_have_ended_and_were_waited_for():
    with _says(ENDS) as saying:
        saying.ask("anything")
        assert saying.cpu_seconds() > 0.25


WAKES = """
import ctypes, signal, struct
signal.signal(signal.SIGCONT, lambda *_: None)
libc, timer = ctypes.CDLL(None), ctypes.c_void_p()
libc.timer_create(1, struct.pack("=Qii48x", 0, signal.SIGCONT, 0), ctypes.byref(timer))
def alive():  # again and again: a stop discards a signal that waits, and the kernel never sets that timer again
    libc.timer_settime(timer, 0, struct.pack("=4q", 0, 10**8, 0, 10**8), None)
"""


@pytest.mark.parametrize(("code", "awake"), [("alive = str", False), (WAKES, True)])
def test_a_process_that_wakes_itself_is_seen(code, awake):
    with _says(code + "\nalive()\nos.write(1, b'{\"status\": \"ok\"}\\n')\nwhile True: alive()") as saying:
        saying.ask("anything")
        for times in range(10 if awake else 3):
            assert times > 1 or saying.cpu_seconds_while_stopped <= AWAKE, "once may be its host's doing"
            saying.suspend()
            time.sleep(0.25)
            saying.resume()
            if saying.cpu_seconds_while_stopped > AWAKE:
                break
        assert (saying.cpu_seconds_while_stopped > AWAKE) == awake


POOL = """
import hashlib, threading
for _ in range(4):
    threading.Thread(target=hashlib.pbkdf2_hmac, args=("sha256", b"", b"", 2**30), daemon=True).start()
"""


def test_what_threads_compute_until_the_last_of_them_has_stopped_is_no_waking():
    with _says(POOL + "\nos.write(1, b'{\"status\": \"ok\"}\\n')\nwhile True: time.sleep(1)") as saying:
        saying.ask("anything")
        for _ in range(100):
            saying.suspend()
            time.sleep(0.005)
            saying.resume()
        assert saying.cpu_seconds_while_stopped < AWAKE


def test_what_no_file_could_hold_is_replaced():
    said = r"""print('{"status": "ok", "a": [{"\ud800": "\u001b[2J\n\u00e9"}]}', flush=True)"""
    with _says(said.replace("\\", "\\\\")) as saying:
        assert saying.ask("anything")["a"] == [{"\ufffd": "\ufffd[2J\n\u00e9"}]


def test_a_child_that_leaves_its_group_is_ended_when_it_should_stop():
    """A signal to the group does not reach it, and it would run while others are timed."""
    with _says(SPINS.format(leaves="os.setsid()")) as saying:
        saying.ask("anything")
        (child,) = psutil.Process(saying.pid).children()
        saying.suspend()
        deadline = time.monotonic() + 5
        while child.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:  # of a parent that is stopped
            time.sleep(0.01)
        assert child.status() == psutil.STATUS_ZOMBIE
