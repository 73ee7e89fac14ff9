"""Runs a fleet from home: calls `node.measure` on every node, by commands or by Ray, and stores what returns in time.

Names of nodes stay in the user's own folder, with the salt of their ids; it serves all fleets, so a node keeps its id.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.errors import UsageError, missing
from bench.fleet import folder
from bench.fleet.node import Request, measure, version
from bench.settings import Settings

GRACE = 60.0
"""Seconds for an engine to start a node and to return its folder."""
ENDING = 10.0
"""Seconds for a command to end in order: srun then cancels its job, which would go on if srun were killed."""


class Commands:
    """A shell command for each node; it gets the request on stdin and prints the archive."""

    def __init__(self, template: str, nodes: Sequence[str]) -> None:
        if not nodes:
            raise UsageError("--command: has no list of nodes; name them with --nodes a,b,c.")
        if len(nodes) > 1 and "{node}" not in template:
            raise UsageError(f"--command {template!r}: has no {{node}}; put it where a name goes.")
        self.nodes, self._template = nodes, template
        self._pool = ThreadPoolExecutor(max_workers=len(nodes))
        self._processes, self._answers = list[subprocess.Popen[bytes]](), list[Future[bytes]]()

    def submit(self, request: Request, node: str) -> Future[bytes]:
        command = self._template.replace("{node}", shlex.quote(node))
        self._answers.append(self._pool.submit(self._ask, command, json.dumps(asdict(request)).encode()))
        return self._answers[-1]

    def close(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            for process in self._processes:
                if process.poll() is None:
                    os.killpg(process.pid, number)
            wait(self._answers, ENDING)
        self._pool.shutdown()

    def _ask(self, command: str, request: bytes) -> bytes:
        with tempfile.TemporaryFile() as errors:  # no pipe: ssh's master keeps it open
            process = subprocess.Popen(
                ["sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                start_new_session=True,  # Ctrl-C reaches home alone
            )  # fmt: skip
            self._processes.append(process)
            archive, _ = process.communicate(request)
            errors.seek(0)
            *_, last = ["nothing", *errors.read().decode(errors="replace").strip().splitlines()]
        if code := process.returncode:
            how = f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
            raise UsageError(f"its command {how} and said: {last}")
        return archive


class Ray:
    """A task for all CPUs and GPUs of its node, and its resource `stepbench` if it has that."""

    def __init__(self, address: str, nodes: Sequence[str]) -> None:
        try:
            import ray

            ray.init(address=address, log_to_driver=False, logging_level="ERROR")
        except ModuleNotFoundError:
            raise missing("ray", "--ray", extra="ray") from None
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise UsageError(f"--ray {address}: no cluster: {str(error).splitlines()[0]}") from None
        self._ray: Any = ray
        alive = (node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU"))
        self._alive = {node["NodeName"]: node for node in alive}  # as `ray start --node-name` names it
        self.nodes = nodes or [*self._alive]

    def submit(self, request: Request, node: str) -> Future[bytes]:
        if node not in self._alive:
            answer = Future[bytes]()
            answer.set_exception(UsageError(f"is no living node of the Ray cluster, which has {', '.join(self._alive)}"))
            return answer
        has, where = self._alive[node]["Resources"], {"ray.io/node-id": self._alive[node]["NodeID"]}
        own = {"stepbench": has["stepbench"]} if "stepbench" in has else {}
        task = self._ray.remote(measure).options(
            num_cpus=has["CPU"], num_gpus=has.get("GPU", 0), resources=own, label_selector=where, max_retries=0
        )
        return task.remote(request).future()  # type: ignore[no-any-return]

    def close(self) -> None:
        self._ray.shutdown()  # Ray ends the tasks of a driver that leaves


ENGINES: dict[str, type[Commands | Ray]] = {"command": Commands, "ray": Ray}


@dataclass(frozen=True)
class Start:
    """How a fleet was started, for `--resume`."""

    engine: str
    where: str
    nodes: Sequence[str]
    settings: dict[str, str]
    folder: str


def new(engine: str, where: str, nodes: Sequence[str], settings: Settings) -> Start:
    """A fleet with a name and a folder of its own. Raises `UsageError`."""
    named, now = ids(nodes), datetime.now(UTC)
    fleet, variables = now.strftime("%Y%m%dT%H%M%SZ"), settings.assignments(settings.as_json())
    place = Path(os.path.abspath(settings.results / "fleet" / fleet))
    header = {"fleet": fleet, "engine": engine, "nodes": [*named.values()], "settings": variables, "stepbench": version()}
    folder.append(place, header | {"time": str(now)})
    start = Start(engine, where, [*named], variables, str(place))
    _write_privately(f"{fleet}.json", json.dumps(asdict(start)))
    return start


def recall(fleet: str = "") -> Start:
    """The fleet of this name, or the latest. Raises `UsageError`."""
    path = max([state() / f"{fleet}.json"] if fleet else state().glob("*.json"), default=state())
    try:
        return Start(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        raise UsageError(f"--resume {fleet}: {path} does not say how it was started; resume where you began it.") from None


def run(start: Start, engine: Commands | Ray, waiting: float, seconds: float) -> None:
    """Measures on all nodes that have no complete run at home, and prints how each ends. Raises `UsageError`.

    A node that does not answer before the deadline, or Ctrl-C, keeps its folder, and `--resume` fetches it.
    """
    named, place, begun = ids(start.nodes), Path(start.folder), time.monotonic()
    answers: dict[Future[bytes], str] = {}

    def store(node: str, facts: dict[str, str]) -> None:
        facts = {name: without_names(text, named) for name, text in facts.items()}
        folder.append(place, {"node": named[node], **facts})
        outcome = "done" if folder.complete(place / named[node]) else f"missing: {facts.get('reason')}"
        print(f"{named[node]} ({node}): {outcome}", file=sys.stderr)

    try:
        for node in start.nodes:
            if not folder.complete(place / named[node]):
                request = Request(place.name, named[node], start.settings, waiting, seconds)
                answers[engine.submit(request, node)] = node
        for future in as_completed([*answers], waiting + seconds + GRACE):
            node = answers.pop(future)
            try:
                facts = folder.unpack(future.result(), place / named[node])
            except Exception as error:  # Ray's have no class in common
                *_, last = ["", *str(error).strip().splitlines()]
                kind = "" if isinstance(error, UsageError) else f"{type(error).__name__}: "
                facts = {"reason": kind + last.strip()}
            store(node, facts)
    except (TimeoutError, KeyboardInterrupt):
        pass
    finally:
        engine.close()
        passed = f"{(time.monotonic() - begun) / 60:.3g} minutes (--wait, --minutes)"
        for node in answers.values():
            store(node, {"reason": f"no answer in {passed}; --resume fetches what it has by then"})


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
