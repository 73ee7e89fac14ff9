"""The function that engines call on a node: measures one run and returns its folder as bytes.

The folder stays on the node, so that a late answer or a broken connection loses nothing.
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
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import __version__
from bench.conversation import end_with_parent
from bench.errors import ExitCode, UsageError
from bench.paths import BACKENDS, ROOT
from bench.record import journal

FACTS = "node.json"
"""The archive's entry with `stepbench`, what the run `printed`, and the `reason` if it failed."""
HIDDEN = ("BENCH_", "RAY_", "OMP_NUM_THREADS")
"""Variables that a run does not inherit from its node; Ray sets the last one for its tasks."""


@dataclass(frozen=True)
class Request:
    """`wait` is how long another fleet may hold this machine, `seconds` the run's time limit."""

    fleet: str
    node: str
    settings: dict[str, str]
    wait: float
    seconds: float


def measure(request: Request) -> bytes:
    """Measures unless a complete run is here; returns the node's folder as a zip archive."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "stepbench" / request.fleet / request.node
    reason = printed = ""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with hold(request.wait):
            if not any(map(journal.ended, folder.glob("*/*"))):
                reason, printed = _run(request, folder)
    except (OSError, UsageError) as error:
        reason = str(error)
    facts = {"stepbench": version(), "reason": reason, "printed": printed}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(FACTS, json.dumps(facts))
        for path in sorted(folder.glob("*/*/*")):
            archive.write(path, path.relative_to(folder))
    return out.getvalue()


def version() -> str:
    """This project's version and a hash of its Python files."""
    digest = hashlib.sha256()
    for path in sorted([*(ROOT / "bench").rglob("*.py"), *BACKENDS.rglob("*.py")]):
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return f"{__version__} {digest.hexdigest()[:12]}"


@contextmanager
def hold(wait: float) -> Iterator[None]:
    """Locks this machine against this user's other fleets. Raises `UsageError`."""
    end = time.monotonic() + wait
    with Path(tempfile.gettempdir(), f"stepbench-fleet-{os.getuid()}.lock").open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise UsageError(f"another fleet has held its machine for {wait / 60:g} minutes (--wait)") from None
            time.sleep(0.2)
        yield


def _run(request: Request, folder: Path) -> tuple[str, str]:
    """Runs `python -m bench run` there; returns why it is incomplete, or "", and its output."""
    env = {name: text for name, text in os.environ.items() if not name.startswith(HIDDEN)}
    env |= request.settings | {"BENCH_NODE": request.node, "BENCH_RESULTS": "."}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), env.get("PYTHONPATH"))))
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "bench", "run"], cwd=folder, env=env, timeout=request.seconds,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            preexec_fn=end_with_parent,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"its run took longer than {request.seconds / 60:g} minutes (--minutes)", ""
    code, printed = done.returncode, done.stdout
    if code in (ExitCode.FINE, ExitCode.WRONG):
        return "", printed
    *_, last = [f"its run ended with code {code}", *printed.strip().splitlines()]
    return f"its run died of {signal.Signals(-code).name}" if code < 0 else last.removeprefix("bench: "), printed
