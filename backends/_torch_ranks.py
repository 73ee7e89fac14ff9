"""What the data-parallel torch backends do outside their step: start the other ranks, split the batch, compare weights.

Rank 0 is the process that constructs the step; it starts a process for each other rank, which constructs the same step and
repeats `step()`. That process waits in the all-reduce until rank 0 arrives there, so no message is added to a step. A request
(new weights follow, or show yours) is one more number in the all-reduce, and is 0 in every step.
"""

import atexit
import ctypes
import inspect
import os
import pickle
import runpy
import signal
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import cache, wraps
from typing import Any, NamedTuple, NoReturn

import torch
import torch.distributed as dist

from backends._torch import TorchStep
from backends.api import Problem, Weights

COPY, SHOW = 1, 2
"""Requests: copy the weights of rank 0; send it yours."""
TIMEOUT = timedelta(seconds=60)
"""How long rank 0 waits for the others. They wait for rank 0 as long as it lives."""
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


class Place(NamedTuple):
    rank: int
    ranks: int
    store: str
    """The file in which the ranks find each other's addresses."""


class Requested(Exception):
    """Rank 0 sent a request instead of a step."""


def one_thread(step: Callable[[Any], torch.Tensor]) -> Callable[[Any], torch.Tensor]:
    """A step whose rank computes on one thread, in a process that has a thread for each rank. Takes 0.3 µs."""

    @wraps(step)
    def on_one_thread(self: Any) -> torch.Tensor:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return step(self)
        finally:
            torch.set_num_threads(threads)

    return on_one_thread


class TorchRankStep(TorchStep):
    """Each rank computes on some rows of the batch; rank 0 has as many as any other, or one more.

    A subclass has `request`, the number of that name among those that it reduces, calls `obey()` between the reduction and
    the update, and says how it reduces without a step, and which tensors it trains.
    """

    request: torch.Tensor

    @classmethod
    def why_not(cls, device: str, dtype: str) -> str | None:
        reason = super().why_not(device, dtype)
        if reason:
            return reason
        library = "gloo" if device == "cpu" else "nccl"
        if not dist.is_available() or not dist.is_backend_available(library):
            return f"needs {library}, which torch {torch.__version__} was built without"
        if count_ranks(device) > 1:
            return None
        return f"needs two {'threads' if device == 'cpu' else 'devices'}, one for each rank, and has one"

    def __init__(self, problem: Problem, device: str, dtype: str, place: Place | None = None) -> None:
        with _started(type(self), problem, device, dtype) if place is None else _placed(place) as (place, store):
            self.rank, self.ranks = place.rank, place.ranks
            kind, _, index = device.partition(":")
            if kind != "cpu":
                device = f"{kind}:{(int(index or 0) + self.rank) % self.ranks}"
            super().__init__(_part(problem, self.rank, self.ranks), device, dtype)
            if self.rank == 0:
                others = [os.pidfd_open(int(store.get(f"process {rank}"))) for rank in range(1, self.ranks)]
                weakref.finalize(self, _end_ranks, others)
            self.group = _join(store, self.rank, self.ranks, kind)
            met = self.x.new_ones(1)
            dist.all_reduce(met, group=self.group)
            assert met.item() == self.ranks

    def obey(self) -> None:
        """Leaves the step before its update if rank 0 sent a request. Rank 0 itself has nothing to read."""
        if self.rank and (request := round(self.request.item())):
            self.request.zero_()
            raise Requested(request)

    def send(self, request: int) -> None:
        """Reduces once with this request and without an update."""
        raise NotImplementedError

    def trained(self) -> Sequence[torch.Tensor]:
        """The weights as they lie in memory."""
        return self.w1, self.w2

    def answer(self, request: int) -> list[torch.Tensor]:
        """What all ranks do after a request; to SHOW, the weights of each."""
        if request == COPY:
            for weights in self.trained():
                dist.broadcast(weights, group_src=0, group=self.group)
            return []
        own = torch.cat([weights.reshape(-1) for weights in self.trained()])
        shown = [torch.empty_like(own) for _ in range(self.ranks)]
        dist.all_gather(shown, own, group=self.group)
        return shown

    def get_weights(self) -> Weights:
        """Raises `RuntimeError` unless all ranks have the same weights, bit for bit."""
        self.send(SHOW)
        first, *others = (weights.view(torch.uint8) for weights in self.answer(SHOW))
        for rank, other in enumerate(others, start=1):
            if not torch.equal(first, other):
                raise RuntimeError(f"rank {rank} has other weights than rank 0: ranks must apply the same update")
        return super().get_weights()

    def set_weights(self, w1, w2) -> None:
        super().set_weights(w1, w2)
        self.send(COPY)
        self.answer(COPY)


def count_ranks(device: str) -> int:
    """A rank for each thread that this process may compute with; on CUDA for each device."""
    kind = device.partition(":")[0]
    return torch.get_num_threads() if kind == "cpu" else torch.get_device_module(kind).device_count()


def _part(problem: Problem, rank: int, ranks: int) -> Problem:
    """The rows of a rank. No rank has more than rank 0, whose clock is read."""
    start, end = (-(-len(problem.x) * each // ranks) for each in (rank, rank + 1))
    return replace(problem, x=problem.x[start:end], y=problem.y[start:end])


def _join(store: dist.Store, rank: int, ranks: int, kind: str) -> dist.ProcessGroup:
    """A group that only this step knows: `init_process_group` makes one for the whole process, which has several steps."""
    patience = timedelta(days=365) if rank else TIMEOUT
    if kind == "cpu":
        name, library = dist.ProcessGroup.BackendType.GLOO, dist.ProcessGroupGloo(store, rank, ranks, patience)
    else:
        name, library = dist.ProcessGroup.BackendType.NCCL, dist.ProcessGroupNCCL(store, rank, ranks, patience)
    group = dist.ProcessGroup(store, rank, ranks)
    group._set_default_backend(name)
    group._register_backend(torch.device(kind), name, library)
    return group


@contextmanager
def _placed(place: Place) -> Iterator[tuple[Place, dist.Store]]:
    """In a started rank."""
    store = dist.FileStore(place.store, place.ranks)
    store.set(f"process {place.rank}", str(os.getpid()))
    yield place, store


@contextmanager
def _started(build: type, problem: Problem, device: str, dtype: str) -> Iterator[tuple[Place, dist.Store]]:
    """Starts the other ranks, and removes the store's file when all have met."""
    ranks, cpus = count_ranks(device), sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="ranks-") as folder:
        first = Place(0, ranks, f"{folder}/store")
        for rank in range(1, ranks):
            arguments = (problem, device, dtype, first._replace(rank=rank))
            cpu = cpus[rank % len(cpus)]
            request = pickle.dumps((sys.path, cpu, inspect.getfile(build), build.__name__, pickle.dumps(arguments)))
            server = _fork_server(os.getpid())
            server.stdin.write(request)
            server.stdin.flush()
        store = dist.FileStore(first.store, ranks)
        store.set_timeout(TIMEOUT)
        yield first, store


def _end_ranks(processes: Sequence[int]) -> None:
    for process in processes:
        try:
            signal.pidfd_send_signal(process, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.close(process)


@cache
def _fork_server(parent: int) -> subprocess.Popen[bytes]:
    """A process that has imported torch, which takes more than a second, and forks a rank in some milliseconds.

    It never computes: threads do not survive a fork. `parent` is this process, since a copy of it needs a server of its own.
    """
    program = "import sys; sys.path[:] = sys.argv[1:]; from backends import _torch_ranks; _torch_ranks.serve()"
    server = subprocess.Popen([sys.executable, "-c", program, *sys.path], stdin=subprocess.PIPE)
    atexit.register(_end_server, server)
    return server


def _end_server(server: subprocess.Popen[bytes]) -> None:
    server.kill()
    server.wait()


def serve() -> None:
    """Forks a rank for each request on standard input. Ranks end with this process, and this process with rank 0."""
    _end_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel forgets a rank that ended
    while True:
        try:
            request = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        if os.fork() == 0:
            _end_with_parent()
            _follow(*request)


def _end_with_parent() -> None:
    """Also a suspended process ends with its parent."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _follow(path: list[str], cpu: int, file: str, name: str, arguments: bytes) -> NoReturn:
    """A rank that rank 0 started: repeats the step until it is killed."""
    try:
        sys.path[:] = path
        os.sched_setaffinity(0, {cpu})
        build = runpy.run_path(file)[name]
        step = build(*pickle.loads(arguments))
        while True:
            try:
                step.step()
            except Requested as requested:
                step.answer(requested.args[0])
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(1)
