"""What happens on a node: it is held, the run is measured by a process of its own, and its folder is handed over.

What was measured stays in a folder of the node until its user removes it: a run whose launcher is gone, or that was cut off,
is handed to whoever asks next. Nothing here computes while a run is measured, but a sign of life every few seconds.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO

from bench import __version__
from bench.conversation import end_with_parent
from bench.errors import ExitCode, UsageError
from bench.fleet import wire
from bench.paths import BACKENDS, ROOT
from bench.record import journal

ENDING = 20.0
"""Seconds that a run may take to write what it has once it was asked to stop."""
LOOK = 0.2
"""Seconds between two looks at a run."""
PRINTED = "printed.txt"
"""What a run printed."""


def source() -> str:
    """A hash of the project's own files: what two nodes have to share to have measured with the same instrument."""
    digest = hashlib.sha256()
    for folder in (ROOT / "bench", BACKENDS):
        for path in sorted(folder.rglob("*.py")):
            digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def keep() -> Path:
    """Where a node keeps its runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stepbench"


class Node:
    """One request, answered on `replies`."""

    def __init__(self, request: wire.Request, requests: IO[bytes], replies: BinaryIO, kept: Path) -> None:
        self.request, self._replies = request, replies
        self.folder = kept / request["fleet"] / request["node"]
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        threading.Thread(target=self._listen, args=(requests,), daemon=True).start()

    def serve(self) -> None:
        """Answers; what goes wrong is told in the last message."""
        self._say("hello", version=__version__, source=source(), boot=_boot())
        code, reason = int(ExitCode.FINE), ""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if self.request["do"] == "run":
                with held(self._wait):
                    if not any(journal.ended(path) for path in self.folder.rglob(journal.NAME)):
                        code, reason = self._measure()
        except (UsageError, OSError) as error:
            code, reason = ExitCode.USAGE, str(error)
        with suppress(OSError):
            self._say("folder", packed(self.folder))
        self._say("end", code=int(code), reason=reason)

    def _measure(self) -> tuple[int, str]:
        """The run's exit code, and if it did not end by itself or in a fault why."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("BENCH_")}
        env |= self.request["settings"] | {"BENCH_NODE": self.request["node"], "BENCH_RESULTS": "."}
        env["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), env.get("PYTHONPATH"))))
        self._say("measuring")
        with (self.folder / PRINTED).open("ab") as printed:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "bench", "run"],
                cwd=self.folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=printed,
                start_new_session=True,
                preexec_fn=end_with_parent,  # whoever holds this node ends with it, and so has to what it runs
            )
        end = time.monotonic() + self.request["seconds"]
        beat = self._beat()
        while process.poll() is None and time.monotonic() < end and not self._stopped.is_set():
            time.sleep(LOOK)
            next(beat)
        reason = ""
        if process.poll() is None:
            minutes = self.request["seconds"] / 60
            reason = "was asked to stop" if self._stopped.is_set() else f"took longer than {minutes:g} minutes (--minutes)"
            _end(process)
        code = process.returncode
        if code < 0 and not reason:
            reason = f"its run died of {signal.Signals(-code).name}"
        elif code not in (ExitCode.FINE, ExitCode.WRONG, ExitCode.UNPROVEN) and not reason:
            reason = _last_line(self.folder / PRINTED) or f"its run ended with exit code {code}"
        return code, reason

    def _wait(self) -> Iterator[None]:
        """Signs of life while another run holds the node. Raises `UsageError` once that has taken too long."""
        end, beat = time.monotonic() + self.request["wait"], self._beat()
        self._say("waiting", reason="another run of a fleet holds this machine")
        while time.monotonic() < end and not self._stopped.is_set():
            time.sleep(LOOK)
            next(beat)
            yield
        raise UsageError(f"another run of a fleet held this machine for {self.request['wait'] / 60:g} minutes (--wait)")

    def _beat(self) -> Iterator[None]:
        last = time.monotonic()
        while True:
            if time.monotonic() - last >= self.request["beat"]:
                self._say("beat")
                last = time.monotonic()
            yield

    def _listen(self, requests: IO[bytes]) -> None:
        """Until home asks to stop, or is gone and the node may not go on without it."""
        with suppress(ValueError, OSError):
            for line in requests:
                if line.strip() == b"stop":
                    break
            else:
                if self.request["outlive"]:
                    return
        self._stopped.set()

    def _say(self, message: str, body: bytes = b"", **fields: object) -> None:
        """Nobody may be listening any more; what was measured lies in the folder."""
        with self._lock, suppress(OSError, ValueError):
            wire.say(self._replies, message, body, **fields)


def serve(requests: IO[bytes], replies: BinaryIO, kept: Path) -> None:
    """Answers the one request that `requests` begins with. Raises `UsageError`."""
    try:
        request: wire.Request = json.loads(requests.readline())
        protocol = request["protocol"]
    except (ValueError, TypeError, KeyError):
        raise UsageError("node: no request on standard input; it is `bench fleet` that asks, through its launcher.") from None
    if protocol != wire.PROTOCOL:
        reason = f"has stepbench {__version__}, which speaks another protocol than home; give both the same version"
        wire.say(replies, "end", code=int(ExitCode.USAGE), reason=reason)
        return
    for number in (signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)  # a lost connection ends nothing
    Node(request, requests, replies, kept).serve()


@contextmanager
def held(waiting: Callable[[], Iterator[None]]) -> Iterator[None]:
    """Holds this machine against other runs of fleets by the same user, however many nodes it passes for."""
    with Path(tempfile.gettempdir(), f"stepbench-fleet-{os.getuid()}.lock").open("a") as file:
        if not _taken(file):
            for _ in waiting():
                if _taken(file):
                    break
        yield


def _taken(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def packed(folder: Path) -> bytes:
    """The runs below a folder as a compressed tar archive, each file as it is now, though it may still grow."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=6) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                content = path.read_bytes()
                entry = tarfile.TarInfo(str(path.relative_to(folder)))
                entry.size, entry.mtime = len(content), int(path.stat().st_mtime)
                archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def _end(process: subprocess.Popen[bytes]) -> None:
    """As Ctrl-C does, so that it writes its tables; then for good."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGCONT)
        os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(ENDING)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1].removeprefix("bench: ") if lines else ""


def _boot() -> str:
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""
