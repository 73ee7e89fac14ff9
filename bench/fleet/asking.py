"""One conversation with a node: what it says is taken until it has ended, hangs or is late.

Deadlines are home's own, whatever the engine between them believes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench.errors import UsageError
from bench.fleet import folder, private, wire
from bench.fleet.launchers import Job
from bench.fleet.node import ENDING

SILENCE = 90.0
"""Seconds without a sign of life after which a node counts as hung."""
BEATS = 9
"""Signs of life in that time: one may be late."""
COLLECTING = 60.0
"""Seconds that handing over may take."""
LEAVING = 5.0
"""Seconds for a job to end after its last word."""


@dataclass(frozen=True)
class Patience:
    """How long home waits, in seconds."""

    wait: float
    """Until a node begins: it may have to be booted, or queue."""
    run: float
    silence: float = SILENCE

    def length(self, do: str) -> float:
        """Of a whole conversation: the node may come late, and find another run there that it has to wait for."""
        return 2 * self.wait + self.run + ENDING + COLLECTING if do == "run" else COLLECTING


@dataclass
class Outcome:
    """What became of a node."""

    state: str = "missing"
    """`done`, or `missing`: no complete run of it is at home."""
    reason: str = ""
    runs: list[str] = field(default_factory=list)
    complete: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)
    ended: bool = False
    """Whether it said all that it had to say."""
    told: dict[str, str] = field(default_factory=dict)
    """What it said of itself: `version`, `source`, and `machine`, which tells whether two nodes are one."""


class Conversation:
    """What one job says; `place` is where its folder goes, `published` makes a text fit to be."""

    def __init__(
        self,
        job: Job,
        patience: Patience,
        length: float,
        place: Path,
        published: Callable[[str], str],
        say: Callable[[str], None],
    ) -> None:
        self._job, self._patience, self._length = job, patience, length
        self._place, self._published, self._say = place, published, say
        self._reader = wire.Reader()

    def follow(self, outcome: Outcome) -> None:
        """Fills in the outcome as it becomes known. Raises `UsageError` with the reason if the node is late."""
        begun = last = time.monotonic()
        came = False
        while True:
            limit = begun + (self._length if came else min(self._patience.wait, self._length))
            if came:
                limit = min(limit, last + self._patience.silence)
            try:
                more = self._job.read(limit - time.monotonic())
            except TimeoutError:
                raise UsageError(self._late(begun, last, came)) from None
            if not more:
                break
            last = time.monotonic()
            for message, body in self._reader.feed(more):
                came = True
                self._heard(message, body, outcome)
            if outcome.ended:
                with suppress(TimeoutError):  # its engine may see it end by itself
                    while self._job.read(LEAVING):
                        pass
                break
        if not outcome.reason and not outcome.complete:
            outcome.reason = self._cause()

    def _heard(self, message: wire.Message, body: bytes, outcome: Outcome) -> None:
        kind = message["stepbench"]
        if kind == "hello":
            machine = private.machine(message.get("boot", ""))
            outcome.told = {"version": message.get("version", ""), "source": message.get("source", ""), "machine": machine}
        elif kind in ("waiting", "measuring"):
            self._say(f"{kind}{': ' + message['reason'] if message.get('reason') else ''}")
        elif kind == "folder":
            try:
                arrival = folder.unpack(body, self._place, self._published)
            except OSError as error:
                full = f"its folder cannot be written at home: {error.strerror}; make room and use --resume"
                raise UsageError(full) from None
            outcome.runs, outcome.complete, outcome.again = arrival.runs, arrival.complete, arrival.again
            if arrival.again:
                self._say(f"{', '.join(arrival.again)} was here already and is kept once")
        elif kind == "end":
            outcome.reason, outcome.ended = message.get("reason", ""), True

    def _late(self, begun: float, last: float, came: bool) -> str:
        if not came:
            return f"never came: said nothing within {self._patience.wait / 60:g} minutes (--wait)"
        if last + self._patience.silence < begun + self._length:
            return f"hangs: no sign of life for {self._patience.silence:g} s"
        return f"has not ended within {self._length / 60:.3g} minutes (--wait, --minutes)"

    def _cause(self) -> str:
        """Of a node that ended without saying why."""
        words = self._reader.last_words()
        fate = self._job.fate()
        return fate or (f"ended without a word of a run; it said {words!r}" if words else "ended without a word")
