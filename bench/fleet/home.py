"""A fleet at home: submits `node.measure` to every node and stores what returns in time.

Names of nodes stay in the user's own folder, with the salt of their ids; it serves all fleets, so a node keeps its id.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, as_completed
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from bench.errors import UsageError
from bench.fleet import folder
from bench.fleet.node import ENDING, Request, version
from bench.settings import Settings

GRACE = ENDING + 60.0
"""Seconds for a run to end early, and for an engine to start a node and to return its folder."""


class Engine(Protocol):
    """An executor whose workers have names. Its methods raise `UsageError`, or `OSError`."""

    nodes: Sequence[str]

    def submit(self, request: Request, node: str) -> Future[bytes]:
        """A future of `bench.fleet.node.measure(request)`, called on this node."""

    def close(self) -> None:
        """Stops waiting."""


@dataclass(frozen=True)
class Start:
    """How a fleet was started, for `--resume`."""

    fleet: str
    engine: str
    where: str
    nodes: Sequence[str]
    settings: dict[str, str]
    folder: str


def new(name: str, where: str, engine: Engine, settings: Settings) -> Start:
    """A fleet with a name and a folder of its own. Raises `UsageError`."""
    named, now = ids(engine.nodes), datetime.now(UTC)
    fleet, variables = now.strftime("%Y%m%dT%H%M%SZ"), settings.assignments(settings.as_json())
    place = Path(os.path.abspath(settings.results / "fleet" / fleet))
    header = {"fleet": fleet, "engine": name, "nodes": [*named.values()], "settings": variables}
    folder.append(place, header | {"stepbench": version(), "time": str(now)})
    start = Start(fleet, name, where, [*named], variables, str(place))
    _write_privately(f"{fleet}.json", json.dumps(asdict(start)))
    return start


def recall(fleet: str = "") -> Start:
    """The fleet of this name, or the latest. Raises `UsageError`."""
    path = max([state() / f"{fleet}.json"] if fleet else state().glob("*.json"), default=state())
    try:
        return Start(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        raise UsageError(f"--resume {fleet}: {path} does not say how it was started; resume where you began it.") from None


def run(start: Start, engine: Engine, wait: float, seconds: float, report: Callable[[str], None]) -> None:
    """Measures on all nodes that have no complete run at home. Raises `UsageError`.

    A node that does not answer before the deadline keeps its folder, and `--resume` fetches it.
    """
    named, place = ids(start.nodes), Path(start.folder)
    reason = f"no answer within {(wait + seconds) / 60:.3g} minutes (--wait, --minutes)"
    waiting: dict[Future[bytes], str] = {}

    def store(node: str, facts: dict[str, str]) -> None:
        facts = {name: without_names(text, named) for name, text in facts.items()}
        folder.append(place, {"node": named[node], **facts})
        outcome = "done" if folder.complete(place / named[node]) else f"missing: {facts.get('reason')}"
        report(f"{named[node]} ({node}): {outcome}")

    try:
        for node in start.nodes:
            if folder.complete(place / named[node]):
                continue
            request = Request(fleet=start.fleet, node=named[node], settings=start.settings, wait=wait, seconds=seconds)
            try:
                waiting[engine.submit(request, node)] = node
            except (OSError, UsageError) as error:
                store(node, {"reason": str(error)})
        for future in as_completed([*waiting], wait + seconds + GRACE):
            node = waiting.pop(future)
            try:
                facts = folder.unpack(future.result(), place / named[node])
            except Exception as error:  # every engine has exceptions of its own
                *_, last = ["", *str(error).strip().splitlines()]
                kind = "" if isinstance(error, UsageError) else f"{type(error).__name__}: "
                facts = {"reason": kind + last.strip()}
            store(node, facts)
    except TimeoutError:
        pass
    except KeyboardInterrupt:
        reason = "no answer before Ctrl-C"
        raise
    finally:
        engine.close()
        for node in waiting.values():
            store(node, {"reason": f"{reason}; --resume fetches what it has by then"})


def ids(names: Iterable[str]) -> dict[str, str]:
    """Name → id, with more digits where two nodes share the first. Raises `UsageError`."""
    if not (path := state() / "salt").exists():
        _write_privately(path.name, secrets.token_hex(16))
    salt, found = path.read_bytes(), dict[str, str]()
    for name in names:
        digest = hashlib.sha256(salt + name.encode()).hexdigest()
        found[name] = next(digest[:n] for n in range(6, 64) if digest[:n] not in found.values())
    return found


def without_names(text: str, known: Mapping[str, str]) -> str:
    """A text in which ids replace the names of nodes, and `home` that of this host."""
    spoken: dict[str, str] = {}
    for name, id_ in [*known.items(), (socket.gethostname(), "home")]:
        host = name.rpartition("@")[2]
        short = host.partition(".")[0]
        parts = (name, host, "" if short.isdigit() else short)
        spoken |= {part: id_ for part in parts if len(part) > 2}
    for part in sorted(spoken, key=len, reverse=True):
        text = re.sub(rf"(?<![\w.-]){re.escape(part)}(?![\w-])", spoken[part], text)
    return text


def state() -> Path:
    """The user's folder of names and salt."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "stepbench"


def _write_privately(name: str, content: str) -> None:
    with folder.writing(state() / name) as path:
        temporary = path.with_name(f".{name}.{os.getpid()}")
        temporary.touch(mode=0o600)
        temporary.write_text(content, encoding="utf-8")
        temporary.replace(path)
