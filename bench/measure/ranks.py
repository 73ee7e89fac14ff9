"""The ranks of one step, a worker process each, held by the conductor as if they were one.

Every rank is asked the same and at once, and none is asked again before all have answered: that is the barrier before a round.
What one says of time is the slowest's. It must never wait for a rank without a limit, nor for the others of one that failed.
"""

from __future__ import annotations

import math
import selectors
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.machine.counters import Counters
from bench.measure.process import Died, Process
from bench.plan.sides import Side
from bench.region import Regions
from bench.settings import Settings

TIMES = ("seconds", "first_step_seconds", "readback_seconds")
"""Of a reply: the rank that took longest by these speaks for all."""
CAUSE = 0.5
"""Seconds to wait for a rank that died, once another one has failed: its neighbour loses a connection at the same moment."""
Reply = dict[str, Any]


def environment(rank: int, ranks: int, folder: Path) -> dict[str, str]:
    """What a rank has to know of the others, as torchrun would say it; they meet in a file, which needs no port."""
    return {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(ranks), "LOCAL_WORLD_SIZE": str(ranks),
        "INIT_METHOD": f"file://{folder}/ranks", "GLOO_SOCKET_IFNAME": "lo",
    }  # fmt: skip


@dataclass(frozen=True)
class Sum:
    """Hardware events of all ranks together."""

    each: Sequence[Counters]

    def read(self) -> dict[str, int]:
        """Of the events that were counted in every rank."""
        counts = [counters.read() for counters in self.each]
        return {name: sum(one[name] for one in counts) for name in counts[0] if all(name in one for one in counts)}


class Ranks:
    """What a `Process` is to the conductor, of several. They start at once, or raise `OSError`."""

    def __init__(
        self,
        ranks: int,
        side: Side,
        settings: Settings,
        threads: int,
        cpus: Sequence[int],
        memory: int | None,
        size: int,
    ) -> None:
        """`memory` and `size` are what each may take and the bytes of its region."""
        self._timeout = settings.timeout
        self._folder = tempfile.TemporaryDirectory(prefix="stepbench-")
        self._members: list[Process] = []
        self._selector = selectors.DefaultSelector()
        try:
            for rank in range(ranks):
                env = environment(rank, ranks, Path(self._folder.name))
                self._members.append(Process.worker(side, settings, threads, cpus, memory, size, place=(rank, ranks), env=env))
                self._selector.register(self._members[rank].fileno(), selectors.EVENT_READ, rank)
        except BaseException:
            self.end()
            raise
        self.region = Regions([each.region for each in self._members])
        self.counters = Sum([each.counters for each in self._members])

    @property
    def pids(self) -> list[int]:
        return [each.pid for each in self._members]

    @property
    def awake_seconds(self) -> float:
        """The worst rank's CPU time while it was suspended."""
        return max(each.awake_seconds for each in self._members)

    def ask(self, do: str, **request: Any) -> Reply:
        self.send(do, **request)
        return self.receive()

    def send(self, do: str, **request: Any) -> None:
        for rank, member in enumerate(self._members):
            try:
                member.send(do, **request)
            except Died as died:
                raise Died(f"rank {rank}: {died}") from None

    def receive(self) -> Reply:
        """The reply of all, as soon as they have answered; that of a rank that failed without waiting for others."""
        replies: dict[int, Reply] = {}
        deadline = time.monotonic() + self._timeout
        while missing := [rank for rank in range(len(self._members)) if rank not in replies]:
            if not self._next(replies, deadline):
                names = " and ".join(f"rank {rank}" for rank in missing)
                who = f"no answer from {names}" if replies else "no answer from any rank"
                raise Died(f"hung: {who} within {self._timeout:g} s (BENCH_TIMEOUT), so all were ended")
            if any(reply["status"] != "ok" for reply in replies.values()):
                until = time.monotonic() + CAUSE
                while len(replies) < len(self._members) and self._next(replies, until):
                    pass  # a rank that died is told before one that missed it
                rank = min(rank for rank, reply in replies.items() if reply["status"] != "ok")
                return {**replies[rank], "reason": f"rank {rank}: {replies[rank].get('reason')}"}
        return together([replies[rank] for rank in range(len(self._members))])

    def _next(self, replies: dict[int, Reply], deadline: float) -> bool:
        """Adds what has come; False if nothing does in time."""
        ready = self._selector.select(max(0.0, deadline - time.monotonic()))
        for key, _ in ready:
            rank = key.data
            try:
                if rank in replies:  # it has answered, so that there is nothing more to come
                    raise Died(self._members[rank].unasked())
                replies[rank] = self._members[rank].receive()
            except Died as died:
                raise Died(f"rank {rank}: {died}") from None
        return bool(ready)

    def cpu_seconds(self) -> float:
        return sum(each.cpu_seconds() for each in self._members)

    def suspend(self) -> None:
        for each in self._members:
            each.suspend()

    def resume(self) -> None:
        for each in self._members:
            each.resume()

    def end(self) -> None:
        """Ends every rank and whatever it started."""
        for each in self._members:
            each.end()
        self._selector.close()
        self._folder.cleanup()


def together(replies: Sequence[Reply]) -> Reply:
    """What ranks say as one: the slowest's reply, all arrays one after the other, and losses, which are of parts, added up.

    Nothing is believed here: what is no number comes first, and is refused by whoever checks the reply.
    """
    slowest = max(replies, key=_seconds)
    reply = {**slowest}
    if "arrays" in reply:
        told = [each["arrays"] for each in replies if isinstance(each.get("arrays"), list)]
        reply["arrays"] = [array for arrays in told for array in arrays]
    if "losses" in reply:
        reply["losses"] = _sums([each.get("losses") for each in replies])
    return reply


def _seconds(reply: Reply) -> float:
    times = [reply[name] for name in TIMES if name in reply]
    return max((float(time) if type(time) in (int, float) else math.inf for time in times), default=0.0)


def _sums(losses: Sequence[Any]) -> Any:
    try:
        return [sum(each) for each in zip(*losses, strict=True)]
    except (TypeError, ValueError):
        return None
