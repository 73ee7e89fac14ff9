"""What a node and home say to each other: a request of one JSON line, and messages of a JSON line each, bytes behind some.

Whatever else stands in the stream, a greeting of a shell say, is no message, and is kept for an error to quote.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO, Literal, NotRequired, TypedDict

PROTOCOL = 1
MARK = b'{"stepbench": '
"""How a message begins; nobody else's line does."""
LONGEST = 1 << 30
"""Bytes behind a message; a long sweep's folder has some millions, compressed."""
QUOTED = 2000
"""Bytes of what was no message that are kept."""


class Request(TypedDict):
    """What a node is to do."""

    protocol: int
    do: Literal["run", "collect"]
    """Measure unless it is done, and hand everything over; or hand over what there is."""
    fleet: str
    node: str
    """The node's id: no name of a host."""
    settings: dict[str, str]
    seconds: float
    """After which a run is stopped, what it has measured being kept."""
    wait: float
    """Seconds to wait until the node is free."""
    beat: float
    """Seconds between two signs of life."""
    outlive: bool
    """Whether to measure on when nobody listens any more."""


class Message(TypedDict):
    """What a node says: `hello`, `waiting`, `measuring`, `beat`, `folder` (a tar archive behind it), `end`."""

    stepbench: str
    reason: NotRequired[str]
    code: NotRequired[int]
    version: NotRequired[str]
    source: NotRequired[str]
    """A hash of the project's own files."""
    boot: NotRequired[str]
    """What the machine's kernel calls this start of it; two nodes with the same one are one machine."""
    bytes: NotRequired[int]


def say(stream: BinaryIO, message: str, body: bytes = b"", **fields: Any) -> None:
    """Writes one message, whole."""
    told = {"stepbench": message, **fields, **({"bytes": len(body)} if body else {})}
    stream.write(json.dumps(told).encode() + b"\n" + body)
    stream.flush()


class Reader:
    """Takes a stream apart as its bytes come in."""

    def __init__(self) -> None:
        self._unread = b""
        self._pending: Message | None = None
        self.other = b""
        """The last of what was no message."""

    def feed(self, more: bytes) -> Iterator[tuple[Message, bytes]]:
        """The messages that are complete by now, each with what stands behind it."""
        self._unread += more
        while True:
            if self._pending is not None:
                size = self._pending.get("bytes", 0)
                if len(self._unread) < size:
                    return
                message, body, self._unread = self._pending, self._unread[:size], self._unread[size:]
                self._pending = None
                yield message, body
                continue
            line, newline, rest = self._unread.partition(b"\n")
            if not newline:
                return
            self._unread = rest
            self._pending = _message(line)
            if self._pending is None:
                self.other = (self.other + line + b"\n")[-QUOTED:]

    def last_words(self) -> str:
        """The last line that was no message; empty if there was none."""
        lines = (self.other + self._unread[-QUOTED:]).decode(errors="replace").split("\n")
        return next((text for line in reversed(lines) if (text := "".join(filter(str.isprintable, line)).strip())), "")


def _message(line: bytes) -> Message | None:
    if not line.startswith(MARK):
        return None
    try:
        told = json.loads(line)
    except ValueError:
        return None
    size = told.get("bytes", 0)
    return told if isinstance(told["stepbench"], str) and isinstance(size, int) and 0 <= size <= LONGEST else None
