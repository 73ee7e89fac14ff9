"""What the data-parallel torch backends do outside their step: start ranks, split the batch.

Rank 0 is the process that constructs the step. It starts a process for each other rank, which
constructs the same step and repeats `step()`: it waits in the all-reduce until rank 0 arrives
there, so a step needs no message of its own. A request of rank 0 (copy my weights, show yours) is
one more number in the all-reduce, 0 in every step.
"""

import os
import tempfile
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import wraps
from typing import Any, NamedTuple, NoReturn

import torch
import torch.distributed as dist

from backends import _fork_server
from backends._torch import TorchStep
from backends.api import Problem, State

COPY, SHOW = 1, 2
"""Requests: copy the weights of rank 0; show it yours."""
TIMEOUT = timedelta(seconds=60)
"""How long rank 0 waits for the others. They wait for rank 0 as long as it lives."""


_GROUPS: list[dist.ProcessGroup] = []
"""All groups of this process. Destroying one while Gloo's thread still drops a tensor is a deadlock: each waits for the
other, the thread for Python's lock (torch 2.13)."""


class Place(NamedTuple):
    rank: int
    ranks: int
    store: str
    """The file in which the ranks find each other's addresses."""


class Requested(Exception):
    """Rank 0 sent a request instead of a step."""


def one_thread(method: Callable[..., Any]) -> Callable[..., Any]:
    """Lets a method compute on one thread in a process that has one for each rank; takes 0.3 µs."""

    @wraps(method)
    def on_one_thread(*arguments: Any) -> Any:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return method(*arguments)
        finally:
            torch.set_num_threads(threads)

    return on_one_thread


class TorchRankStep(TorchStep):
    """Each rank computes on some rows of the batch, rank 0 on as many as any other or one more.

    A subclass calls `obey()` between the reduction and the update.
    """

    least_threads = 2
    request: torch.Tensor
    """Of the reduced numbers, the request."""

    @classmethod
    def why_not(cls, device: str, dtype: str) -> str | None:
        reason = super().why_not(device, dtype)
        if reason:
            return reason
        library = "gloo" if device == "cpu" else "nccl"
        if not dist.is_available() or not dist.is_backend_available(library):
            return f"needs {library}, which torch {torch.__version__} was built without"
        if device != "cpu" and count_ranks(device) < 2:
            return "needs two devices, one for each rank, and finds one"
        return None

    def __init__(
        self, problem: Problem, device: str, dtype: str, place: Place | None = None
    ) -> None:
        if place:
            self._meet(problem, device, dtype, place)
            return
        with tempfile.TemporaryDirectory(prefix="ranks-") as folder:
            place = Place(0, count_ranks(device), f"{folder}/store")
            for rank in range(1, place.ranks):
                other = place._replace(rank=rank)
                _fork_server.start(type(self), problem, device, dtype, other)
            self._meet(problem, device, dtype, place)

    def _meet(self, problem: Problem, device: str, dtype: str, place: Place) -> None:
        """Places this rank's part of the problem, and returns when all ranks can be reached."""
        self.rank, self.ranks, _ = place
        store = dist.FileStore(place.store, self.ranks)
        store.set_timeout(TIMEOUT)
        if self.rank:
            store.set(f"process {self.rank}", str(os.getpid()))
        else:
            numbers = [int(store.get(f"process {rank}")) for rank in range(1, self.ranks)]
            weakref.finalize(self, _fork_server.end, [*map(os.pidfd_open, numbers)])
        kind, _, index = device.partition(":")
        if kind != "cpu":
            device = f"{kind}:{(int(index or 0) + self.rank) % self.ranks}"
        super().__init__(_part(problem, self.rank, self.ranks), device, dtype)
        self.group = _group(store, self.rank, self.ranks, kind)
        met = self.x.new_ones(1)
        dist.all_reduce(met, group=self.group)
        assert met.item() == self.ranks

    def follow(self) -> NoReturn:
        """What every rank but the first does: repeats the step until its process is killed."""
        while True:
            try:
                self.step()
            except Requested as requested:
                request = requested.args[0]
            else:
                continue
            self.answer(request)

    def obey(self) -> None:
        """Leaves the step before its update if rank 0 sent a request; does nothing in rank 0."""
        if self.rank and (request := round(self.request.item())):
            self.request.zero_()
            raise Requested(request)

    def send(self, request: int) -> None:
        """Reduces as a step does, with this request and without an update."""
        raise NotImplementedError

    def trained(self) -> Sequence[torch.Tensor]:
        """The weights as they lie in memory."""
        return self.w1, self.w2

    def answer(self, request: int) -> list[torch.Tensor]:
        """What all ranks do after a request; returns the weights of each after SHOW."""
        if request == COPY:
            for weights in self.trained():
                dist.broadcast(weights, group_src=0, group=self.group)
            return []
        own = torch.cat([weights.reshape(-1) for weights in self.trained()])
        shown = [torch.empty_like(own) for _ in range(self.ranks)]
        dist.all_gather(shown, own, group=self.group)
        return shown

    @one_thread
    def get_state(self) -> State:
        """Raises `RuntimeError` unless all ranks have the same weights, bit for bit."""
        self.send(SHOW)
        first, *others = (weights.view(torch.uint8) for weights in self.answer(SHOW))
        for rank, other in enumerate(others, start=1):
            if not torch.equal(first, other):
                raise RuntimeError(
                    f"rank {rank} has other weights than rank 0; all ranks must apply one update"
                )
        return super().get_state()

    @one_thread
    def set_state(self, w1, w2) -> None:
        super().set_state(w1, w2)
        self.send(COPY)
        self.answer(COPY)


def count_ranks(device: str) -> int:
    """A rank for each thread that this process may compute with; on CUDA for each device."""
    kind = device.partition(":")[0]
    if kind == "cpu":
        return torch.get_num_threads()
    return torch.get_device_module(kind).device_count()


def _part(problem: Problem, rank: int, ranks: int) -> Problem:
    """The rows of a rank. No rank has more than rank 0, by whose clock a step is timed."""
    start, end = (-(-len(problem.x) * each // ranks) for each in (rank, rank + 1))
    return replace(problem, data={name: rows[start:end] for name, rows in problem.data.items()})


def _group(store: dist.Store, rank: int, ranks: int, kind: str) -> dist.ProcessGroup:
    """The group of one step's ranks: `init_process_group` has one for all steps of a process."""
    name, library = {
        "cpu": (dist.ProcessGroup.BackendType.GLOO, "ProcessGroupGloo"),
        "cuda": (dist.ProcessGroup.BackendType.NCCL, "ProcessGroupNCCL"),
    }[kind]
    patience = timedelta(days=365) if rank else TIMEOUT
    group = dist.ProcessGroup(store, rank, ranks)
    group._set_default_backend(name)
    group._register_backend(
        torch.device(kind), name, getattr(dist, library)(store, rank, ranks, patience)
    )
    _GROUPS.append(group)
    return group
