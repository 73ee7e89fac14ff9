"""Asks every node of a fleet for the same run, brings what they measured home, and says what became of each.

One thread a node waits for bytes; none of them computes. What a node is late with has a deadline of home's own, whatever the
engine between them believes.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import __version__
from bench.errors import ExitCode, UsageError
from bench.fleet import folder, private, wire
from bench.fleet.launchers import Engine, Job, Launcher
from bench.fleet.node import ENDING, source
from bench.record import journal
from bench.settings import Settings

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


class Fleet:
    """A fleet that is being measured."""

    def __init__(
        self, asked: private.Asked, launcher: Launcher, patience: Patience, say: Callable[[str], None] = lambda text: None
    ) -> None:
        self.asked, self.launcher, self.patience, self._tell = asked, launcher, patience, say
        self.folder = Path(asked.folder)
        self.ids = private.ids(asked.nodes)
        self._jobs: dict[str, Job] = {}
        self._stopping = threading.Event()
        self._lock = threading.Lock()

    def measure(self) -> dict[str, Outcome]:
        """Every node that has no complete run at home yet, all at once. Ctrl-C asks them to stop and takes what they have."""
        begin(self.folder, self.asked, list(self.ids.values()))
        open_ = [node for node in self.asked.nodes if not self._at_home(node)]
        outcomes: dict[str, Outcome] = {}

        def one(node: str) -> None:
            start = time.monotonic()
            outcome = self._node(node)
            outcome.reason = self._without_names(outcome.reason)
            with self._lock:
                outcomes[self.ids[node]] = outcome
                log.write(_record(self.ids[node], outcome, time.monotonic() - start))
            self._say(node, f"{outcome.state}{': ' + outcome.reason if outcome.reason else ''}")

        with folder.Log(self.folder) as log, ThreadPoolExecutor(max_workers=max(1, len(open_))) as pool:
            futures = [pool.submit(one, node) for node in open_]
            try:
                for future in futures:
                    future.result()
            except KeyboardInterrupt:
                self._stopping.set()
                with self._lock:
                    for job in self._jobs.values():
                        job.stop(gently=True)
                for future in futures:
                    future.result()
                raise
        return outcomes

    def _at_home(self, node: str) -> bool:
        return any(map(journal.ended, folder.of_node(self.folder, self.ids[node])))

    def _node(self, node: str) -> Outcome:
        outcome = self._ask(node, "run")
        if outcome.state == "missing" and outcome.told and not outcome.ended and not self._stopping.is_set():
            # it was there, so what it measured may still be
            again = self._ask(node, "collect")
            runs = [*dict.fromkeys([*outcome.runs, *again.runs])]
            outcome = replace(again, reason=outcome.reason, told=outcome.told, runs=runs)
        return outcome

    def _ask(self, node: str, do: str) -> Outcome:
        """One conversation with a node."""
        outcome, reader = Outcome(), wire.Reader()
        job = None
        try:
            job = self.launcher.start(node, json.dumps(self._request(node, do)), self._length(do))
            with self._lock:
                self._jobs[node] = job
            if self._stopping.is_set():
                job.stop(gently=True)
            self._follow(node, job, reader, outcome, self._length(do))
            if not outcome.reason and not outcome.complete:
                outcome.reason = _cause(job, reader)
        except (UsageError, OSError) as error:
            outcome.reason = outcome.reason or str(error)
        finally:
            if job is not None:
                job.stop(gently=False)
        if outcome.complete:
            outcome.state = "done"
        return outcome

    def _follow(self, node: str, job: Job, reader: wire.Reader, outcome: Outcome, length: float) -> None:
        """Takes what a node says until it has ended, hangs or is too late. Raises `UsageError` with the reason."""
        patience = self.patience
        begun = time.monotonic()
        last, came = begun, False
        while True:
            now = time.monotonic()
            limit = begun + (length if came else min(patience.wait, length))
            if came:
                limit = min(limit, last + patience.silence)
            try:
                more = job.read(limit - now)
            except TimeoutError:
                raise UsageError(self._late(begun, last, came, length)) from None
            if not more:
                return
            last = time.monotonic()
            for message, body in reader.feed(more):
                if not came:  # what it may take counts from when it came
                    came, begun = True, last
                if self._heard(node, message, body, outcome):
                    with suppress(TimeoutError):  # its engine may see it end by itself
                        while job.read(LEAVING):
                            pass
                    return

    def _length(self, do: str) -> float:
        """Seconds that a conversation may take once the node has come."""
        return self.patience.wait + self.patience.run + ENDING + COLLECTING if do == "run" else COLLECTING

    def _heard(self, node: str, message: wire.Message, body: bytes, outcome: Outcome) -> bool:
        """Whether that was the last message."""
        kind = message["stepbench"]
        if kind == "hello":
            machine = private.machine(message.get("boot", ""))
            outcome.told = {"version": message.get("version", ""), "source": message.get("source", ""), "machine": machine}
        elif kind in ("waiting", "measuring"):
            self._say(node, f"{kind}{': ' + message['reason'] if message.get('reason') else ''}")
        elif kind == "folder":
            arrival = folder.unpack(body, self.folder / self.ids[node], self._without_names)
            outcome.runs, outcome.complete, outcome.again = arrival.runs, arrival.complete, arrival.again
            if arrival.again:
                self._say(node, f"{', '.join(arrival.again)} was here already and is kept once")
        elif kind == "end":
            outcome.reason, outcome.ended = message.get("reason", ""), True
        return kind == "end"

    def _without_names(self, text: str) -> str:
        return private.without_names(text, self.ids)

    def _late(self, begun: float, last: float, came: bool, length: float) -> str:
        if not came:
            return f"never came: said nothing within {self.patience.wait / 60:g} minutes (--wait)"
        if last + self.patience.silence < begun + length:
            return f"hangs: no sign of life for {self.patience.silence:g} s"
        return f"has not ended within {length / 60:.3g} minutes (--wait, --minutes)"

    def _request(self, node: str, do: str) -> wire.Request:
        return {
            "protocol": wire.PROTOCOL, "do": "run" if do == "run" else "collect", "fleet": self.asked.fleet,
            "node": self.ids[node], "settings": dict(self.asked.settings), "seconds": self.patience.run,
            "wait": self.patience.wait, "beat": self.patience.silence / BEATS, "outlive": self.launcher.outlives,
        }  # fmt: skip

    def _say(self, node: str, text: str) -> None:
        self._tell(f"{self.ids[node]} ({node}): {text}")


def new(engine: Engine, where: str, nodes: Sequence[str], settings: Settings) -> tuple[private.Asked, Launcher]:
    """A fleet with a name and a folder of its own, and its launcher. Raises `UsageError`."""
    if relative := [str(path) for path in settings.path if not path.is_absolute()]:
        raise UsageError(f"BENCH_PATH={relative[0]}: nodes have folders of their own; give an absolute path that each has.")
    if relative := [path for _, path in settings.pythons if "/" in path and not os.path.isabs(path)]:
        raise UsageError(f"BENCH_PYTHONS={relative[0]}: nodes have folders of their own; give an absolute path that each has.")
    launcher = engine.launcher(where, nodes)
    private.ids(launcher.nodes)
    name = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    variables = settings.assignments(settings.as_json())
    place = os.path.abspath(settings.results / "fleet" / name)
    asked = private.Asked(name, engine.name, where, list(launcher.nodes), variables, place)
    try:
        Path(place).mkdir(parents=True)
    except OSError as error:
        raise UsageError(f"{place}: cannot be made: {error.strerror}; BENCH_RESULTS names another folder.") from None
    private.remember(asked)
    return asked, launcher


def begin(place: Path, asked: private.Asked, nodes: list[str]) -> None:
    """The fleet's journal with its first line, unless it is there. Raises `UsageError`."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        if not (place / folder.NAME).exists():
            header = {
                "record": "fleet", "schema": folder.SCHEMA, "fleet": asked.fleet, "launcher": asked.launcher, "nodes": nodes,
                "settings": dict(asked.settings), "version": __version__, "source": source(),
                "time": datetime.now(UTC).isoformat(timespec="seconds"),
            }  # fmt: skip
            with folder.Log(place) as log:
                log.write(header)
    except OSError as error:
        raise UsageError(f"{place}: cannot be written: {error.strerror}; BENCH_RESULTS names another folder.") from None


def _cause(job: Job, reader: wire.Reader) -> str:
    """Of a node that ended without saying why."""
    words = reader.last_words()
    return job.fate() or (f"ended without a word of a run; it said {words!r}" if words else "ended without a word")


def _record(node: str, outcome: Outcome, seconds: float) -> Mapping[str, Any]:
    return {
        "record": "node", "node": node, "state": outcome.state, "reason": outcome.reason, "runs": outcome.runs,
        "seconds": round(seconds, 1), **outcome.told,
    }  # fmt: skip


def code(outcomes: Mapping[str, Outcome]) -> ExitCode:
    """WRONG if a node is missing."""
    return ExitCode.WRONG if any(outcome.state == "missing" for outcome in outcomes.values()) else ExitCode.FINE
