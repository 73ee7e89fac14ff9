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
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypedDict

from bench import __version__
from bench.conversation import end_with_parent
from bench.errors import ExitCode, UsageError
from bench.paths import BACKENDS, ROOT
from bench.record import journal

FACTS = "node.json"
"""The archive's entry with `stepbench`, what the run `printed`, and the `reason` if it failed."""
HIDDEN = ("BENCH_", "RAY_", "OMP_NUM_THREADS")
"""Variables that a run does not inherit from its node; Ray sets the last one for its tasks."""
ENDING = 20.0
"""Seconds for an interrupted run to write its tables."""
COMPLETE = (ExitCode.FINE, ExitCode.WRONG, ExitCode.UNPROVEN)


class Request(TypedDict):
    """`wait` is how long another fleet may hold this machine, `seconds` the run's time limit."""

    fleet: str
    node: str
    settings: dict[str, str]
    wait: float
    seconds: float


def measure(request: Request) -> bytes:
    """Measures unless a complete run is here; returns the node's folder as a zip archive."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "stepbench" / request["fleet"] / request["node"]
    reason = printed = ""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with hold(request["wait"], f"node {request['node']} of fleet {request['fleet']}"):
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
def hold(wait: float, holder: str) -> Iterator[None]:
    """Locks this machine against this user's other fleets. Raises `UsageError` with the holder."""
    end = time.monotonic() + wait
    lock = Path(tempfile.gettempdir(), f"stepbench-fleet-{os.getuid()}.lock")
    with lock.open("a+") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    file.seek(0)
                    held = f"has held its machine for {wait / 60:g} minutes (--wait)"
                    raise UsageError(f"{file.read()} {held}") from None
            time.sleep(0.2)
        file.truncate(0)
        print(holder, end="", file=file, flush=True)
        yield


def _run(request: Request, folder: Path) -> tuple[str, str]:
    """Runs `python -m bench run` there; returns why it is incomplete, or "", and its output."""
    env = {name: text for name, text in os.environ.items() if not name.startswith(HIDDEN)}
    env |= request["settings"] | {"BENCH_NODE": request["node"], "BENCH_RESULTS": "."}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), env.get("PYTHONPATH"))))
    reason = ""
    with open(os.memfd_create("printed"), "w+b") as output:  # in memory: the disk may be full
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "bench", "run"], cwd=folder, env=env,
            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True, preexec_fn=end_with_parent,
        )  # fmt: skip
        try:
            process.wait(request["seconds"])
        except subprocess.TimeoutExpired:
            reason = f"its run took longer than {request['seconds'] / 60:g} minutes (--minutes)"
            os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does: the run writes its tables
            with suppress(subprocess.TimeoutExpired):
                process.wait(ENDING)
        finally:
            process.kill()
            process.wait()
        output.seek(0)
        printed = output.read().decode(errors="replace")
    if not reason and (code := process.returncode) not in COMPLETE:
        *_, last = [f"its run ended with code {code}", *printed.strip().splitlines()]
        killed = f"its run died of {signal.Signals(-code).name}" if code < 0 else ""
        reason = killed or last.removeprefix("bench: ")
    return reason, printed
