"""Asks every node of a fleet for the same run, brings what they measured home, and says what became of each.

One thread a node waits for bytes; none of them computes.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from bench import __version__
from bench.errors import UsageError
from bench.fleet import folder, private, wire
from bench.fleet.asking import BEATS, Conversation, Outcome, Patience
from bench.fleet.launchers import Engine, Job, Launcher
from bench.fleet.node import source
from bench.record import journal
from bench.settings import Settings


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
        outcome, length = Outcome(), self.patience.length(do)
        job = None
        try:
            job = self.launcher.start(node, json.dumps(self._request(node, do)), length)
            with self._lock:
                self._jobs[node] = job
            if self._stopping.is_set():
                job.stop(gently=True)
            place = self.folder / self.ids[node]
            Conversation(job, self.patience, length, place, self._without_names, partial(self._say, node)).follow(outcome)
        except (UsageError, OSError) as error:
            outcome.reason = outcome.reason or str(error)
        finally:
            if job is not None:
                job.stop(gently=False)
        if outcome.complete:
            outcome.state = "done"
        return outcome

    def _without_names(self, text: str) -> str:
        return private.without_names(text, self.ids)

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


def _record(node: str, outcome: Outcome, seconds: float) -> Mapping[str, Any]:
    return {
        "record": "node", "node": node, "state": outcome.state, "reason": outcome.reason, "runs": outcome.runs,
        "seconds": round(seconds, 1), **outcome.told,
    }  # fmt: skip
