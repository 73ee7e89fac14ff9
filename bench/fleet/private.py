"""What a fleet keeps private, in the user's own folder: nodes' names and the salt of their ids.

One salt serves all fleets of a user, so a node keeps its id from fleet to fleet.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.errors import UsageError


@dataclass(frozen=True)
class Start:
    """How a fleet was started, for `--resume`."""

    fleet: str
    engine: str
    where: str
    nodes: Sequence[str]
    settings: dict[str, str]
    folder: str


def ids(names: Iterable[str]) -> dict[str, str]:
    """Name → id, with more digits where two nodes share the first. Raises `UsageError`."""
    if not (path := place() / "salt").exists():
        _write(path, secrets.token_hex(16))
    salt, found = path.read_bytes(), dict[str, str]()
    for name in names:
        if name in found:
            raise UsageError(f"--nodes: names {name} twice; a node is measured once.")
        digest = hashlib.sha256(salt + name.encode()).hexdigest()
        length = next(n for n in range(6, 64) if digest[:n] not in found.values())
        found[name] = digest[:length]
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


def remember(start: Start) -> None:
    _write(place() / f"{start.fleet}.json", json.dumps(asdict(start)))


def recall(fleet: str = "") -> Start:
    """The fleet of this name, or the latest. Raises `UsageError`."""
    path = max([place() / f"{fleet}.json"] if fleet else place().glob("*.json"), default=place())
    try:
        return Start(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        where = f"{path} does not say how it was started"
        raise UsageError(f"--resume {fleet}: {where}; resume where you began it.") from None


def place() -> Path:
    """The folder of names and salt."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "stepbench"


def _write(path: Path, content: str) -> None:
    with writing(path):
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.touch(mode=0o600)
        temporary.write_text(content, encoding="utf-8")
        temporary.replace(path)


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Makes the folder of a file. Raises `UsageError` where the file cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield path
    except OSError as error:
        hint = "make room; BENCH_RESULTS and XDG_STATE_HOME name other folders"
        raise UsageError(f"{path}: cannot be written: {error.strerror}; {hint}.") from None
