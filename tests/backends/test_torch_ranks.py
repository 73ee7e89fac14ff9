"""If these fail, ranks train something else than one process would, or outlive it."""

import gc
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from functools import partial

import numpy as np
import psutil
import pytest

torch = pytest.importorskip("torch")
from backends import _torch_ranks  # noqa: E402
from backends.torch_all_reduce import TorchAllReduce  # noqa: E402
from backends.torch_ddp import TorchDdp  # noqa: E402
from bench.paths import BACKENDS  # noqa: E402
from bench.problem import Definition  # noqa: E402
from bench.worker import gate  # noqa: E402
from tests.support import EVERYTHING, ROOT, clean_environ  # noqa: E402

BUILDS = (TorchAllReduce, TorchDdp)
PROBLEM = Definition.load(BACKENDS)
SMALL = PROBLEM.draw("33x13x5x3", "float64", 0)
SECONDS = 60


class OneRankDiffers(TorchAllReduce):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.learning_rate *= 1 + self.rank / 1000


class OneRankStops(TorchAllReduce):
    """In its third reduction, which follows two steps."""

    calls = 0

    def step(self):
        self.calls += 1
        if self.rank and self.calls == 3:
            self.stop()
        return super().step()


class OneRankDies(OneRankStops):
    stop = staticmethod(partial(os._exit, 3))


class OneRankHangs(OneRankStops):
    stop = staticmethod(partial(time.sleep, 60))


class NotesThreads(TorchAllReduce):
    threads = ()

    def obey(self):
        self.threads = (*self.threads, torch.get_num_threads())
        super().obey()


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def _started():
    """Processes below this one that are ranks: below the fork server."""
    return {rank.pid for server in psutil.Process().children() for rank in server.children()}


def _wait_until_ended(pids):
    deadline = time.monotonic() + SECONDS
    while left := [pid for pid in pids if psutil.pid_exists(pid)]:
        assert time.monotonic() < deadline, f"processes {left} are still there"
        time.sleep(0.01)


@pytest.mark.parametrize("N", [1, 33])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-12)])
@pytest.mark.parametrize("build", BUILDS)
def test_two_ranks_train_as_one_process_does(build, dtype, tolerance, N):
    shape = f"{N}x1000x100x10"
    problem = PROBLEM.draw(shape, dtype, 1)
    other = PROBLEM.draw_state(shape, dtype, 2)
    step = build(problem, "cpu", dtype)
    for start in (tuple(problem.state.values()), other):
        if start is other:
            step.set_state(*(array.astype(dtype) for array in other))
        losses = [float(step.step()) for _ in range(3)]
        expected = PROBLEM.run(problem, start, 3)
        np.testing.assert_allclose(losses, expected.losses, rtol=tolerance)
        for weights, right in zip(step.get_state(), expected.state, strict=True):
            assert weights.dtype == dtype
            np.testing.assert_allclose(weights, right, rtol=tolerance, atol=tolerance)


def _losses(problem, steps):
    return PROBLEM.run(problem, tuple(problem.state.values()), steps).losses


@pytest.mark.parametrize("build", BUILDS)
def test_two_steps_of_a_process_have_ranks_of_their_own(build):
    problems = [PROBLEM.draw("33x13x5x3", "float64", seed) for seed in range(2)]
    steps = [build(problem, "cpu", "float64") for problem in problems]
    losses = [[float(step.step()) for step in steps] for _ in range(3)]
    np.testing.assert_allclose(np.transpose(losses), [_losses(problem, 3) for problem in problems])


@pytest.mark.parametrize("build", BUILDS)
def test_a_process_keeps_its_threads_and_affinity(build):
    build(SMALL, "cpu", "float32")
    before = gate.snapshot()
    step = build(SMALL, "cpu", "float32")
    float(step.step())
    step.set_state(*step.get_state())
    assert gate.changes(before, gate.snapshot()) == []


def test_rank_0_computes_on_one_thread():
    step = NotesThreads(SMALL, "cpu", "float32")
    step.step()
    assert (step.threads, torch.get_num_threads()) == ((1,), 2)


def test_a_rank_with_other_weights_is_refused():
    step = OneRankDiffers(SMALL, "cpu", "float64")
    step.get_state()
    step.step()
    with pytest.raises(RuntimeError, match="^rank 1 has other weights than rank 0; "):
        step.get_state()


@pytest.mark.parametrize("build", [OneRankDies, OneRankHangs])
def test_a_rank_that_stops_ends_the_step(build, monkeypatch):
    monkeypatch.setattr(_torch_ranks, "TIMEOUT", timedelta(seconds=1))
    step = build(SMALL, "cpu", "float32")
    for _ in range(2):
        step.step()
    start = time.monotonic()
    with pytest.raises(RuntimeError, match="Timed out" if build is OneRankHangs else "by peer"):
        step.step()
    assert time.monotonic() - start < SECONDS


@pytest.mark.parametrize("build", BUILDS)
def test_a_rank_ends_with_its_step(build):
    before = _started()
    step = build(SMALL, "cpu", "float32")
    step.step()
    ranks = _started() - before
    assert len(ranks) == 1
    del step
    gc.collect()
    _wait_until_ended(ranks)


WORKER = """
from backends.torch_all_reduce import TorchAllReduce
from bench.paths import BACKENDS
from bench.problem import Definition
problem = Definition.load(BACKENDS).draw("33x13x5x3", "float64", 0)
step = TorchAllReduce(problem, "cpu", "float64")
print("ready", flush=True)
while input("") == "step":
    print(float(step.step()), flush=True)
"""


@pytest.mark.parametrize("killed", [False, True])
def test_ranks_stop_and_end_with_their_process(killed):
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER], cwd=ROOT,
        env=clean_environ() | EVERYTHING | {"OMP_NUM_THREADS": "2"},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert worker.stdout.readline() == "ready\n"
        below = [process.pid for process in psutil.Process(worker.pid).children(recursive=True)]
        assert [len(below), {os.getpgid(pid) for pid in below}] == [2, {worker.pid}]
        losses = []
        for _ in range(2):
            os.killpg(worker.pid, signal.SIGSTOP)
            time.sleep(0.1)
            os.killpg(worker.pid, signal.SIGCONT)
            print("step", file=worker.stdin, flush=True)
            losses.append(float(worker.stdout.readline()))
        np.testing.assert_allclose(losses, _losses(SMALL, 2))
        if killed:
            os.killpg(worker.pid, signal.SIGSTOP)
            worker.kill()
        else:
            print("end", file=worker.stdin, flush=True)
        assert worker.wait(SECONDS) == (-signal.SIGKILL if killed else 0)
        _wait_until_ended(below)
    finally:
        if worker.poll() is None:
            os.killpg(worker.pid, signal.SIGKILL)
        worker.communicate()


ONE = "needs two devices, one for each rank, and finds one"


@pytest.mark.parametrize(("device", "count", "reason"), [("cpu", 1, None), ("cuda", 1, ONE), ("cuda", 2, None)])
@pytest.mark.parametrize("build", BUILDS)
def test_it_needs_two_ranks(build, device, count, reason, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: count)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(torch.distributed, "is_backend_available", lambda name: True)
    assert (build.why_not(device, "float32"), build.least_threads) == (reason, 2)
