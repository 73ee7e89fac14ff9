"""What is known of a fleet that must not be published: its nodes' names and the salt of their ids, in the user's own folder.

A name of a host is easily guessed and its hash compared, so the salt is as secret as the names are. It is one for all fleets of
a user: a node keeps its id from one run to the next.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.errors import UsageError

DIGITS = 6
"""Of an id; one in 16 million pairs of nodes shares one, and is told apart by more digits."""


@dataclass(frozen=True)
class Asked:
    """How a fleet was started, for `--resume`."""

    fleet: str
    """Its name, which is that of its folder at home."""
    launcher: str
    where: str
    nodes: Sequence[str]
    settings: Mapping[str, str]
    folder: str


def ids(names: Iterable[str]) -> dict[str, str]:
    """Name → id. Raises `UsageError` for a name that is given twice."""
    salt = _salt()
    found: dict[str, str] = {}
    for name in names:
        if name in found:
            raise UsageError(f"--nodes: names {name} twice; a node is measured once.")
        digest = hashlib.sha256(salt + name.encode()).hexdigest()
        length = next(n for n in range(DIGITS, len(digest)) if digest[:n] not in found.values())
        found[name] = digest[:length]
    return found


def machine(boot: str) -> str:
    """What tells two machines apart, from what a machine's kernel says of itself."""
    return hashlib.sha256(_salt() + boot.encode()).hexdigest()[:DIGITS] if boot else ""


def without_names(text: str, known: Mapping[str, str]) -> str:
    """A text with the names of nodes, and of this host, replaced: by ids, and `home`."""
    spoken: dict[str, str] = {}
    for name, id_ in [*known.items(), (socket.gethostname(), "home")]:
        host = name.rpartition("@")[2]
        short = host.partition(".")[0]
        spoken |= {part: id_ for part in (name, host, *([short] if not short.isdigit() else [])) if len(part) > 2}
    for part in sorted(spoken, key=len, reverse=True):
        text = re.sub(rf"(?<![\w.-]){re.escape(part)}(?![\w-])", spoken[part], text)
    return text


def remember(asked: Asked) -> None:
    """Raises `UsageError`."""
    _write(place() / f"{asked.fleet}.json", json.dumps(asdict(asked), indent=2).encode() + b"\n")


def recall(fleet: str) -> Asked:
    """Raises `UsageError`."""
    path = place() / f"{fleet}.json"
    try:
        return Asked(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        raise UsageError(
            f"--resume {fleet}: nothing is known of how it was started: {path} cannot be read; it is resumed by the user and "
            "on the machine that began it."
        ) from None


def latest() -> str:
    """The fleet that was begun last. Raises `UsageError`."""
    files = sorted(place().glob("*.json"), key=lambda path: path.name)
    if not files:
        raise UsageError(f"--resume: no fleet was begun here: {place()} knows of none; begin one with --command, say.")
    return files[-1].stem


def _salt() -> bytes:
    path = place() / "salt"
    if not path.exists():
        _write(path, secrets.token_hex(16).encode())
    return path.read_bytes()


def place() -> Path:
    """Where all of this lies."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "stepbench"


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        temporary.replace(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}; XDG_STATE_HOME names another folder.") from None
