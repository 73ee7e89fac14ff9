"""SLURM through submitit: a job a node, which has the node to itself.

submitit needs a folder that home and nodes share; the answers of a node come through a file in it.
"""

from __future__ import annotations

import math
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.errors import UsageError, missing
from bench.fleet import private
from bench.fleet.launchers import Job
from bench.paths import ROOT

METAVAR = "PARTITION"
HELP = "a SLURM job for each node, of this partition or the usual one; needs a folder that all nodes share"
DEFAULT = ""
LOOK = 0.5
"""Seconds between two looks at a job's file."""
ASK = 5.0
"""Seconds between two questions to SLURM, which answers for everybody."""
LATE = 10.0
"""Seconds that the last bytes of a job may need through the shared folder once it has ended."""
GOING = {"PENDING", "RUNNING", "CONFIGURING", "COMPLETING", "REQUEUED", "SUSPENDED", "STOPPED", "RESIZING", ""}


class Slurm:
    """Jobs of their own for each node; `cluster` is submitit's, `local` for processes of this machine."""

    outlives = True

    def __init__(self, partition: str, nodes: Sequence[str], cluster: str = "slurm") -> None:
        try:
            import submitit
        except ModuleNotFoundError:
            raise missing("submitit", "--slurm", extra="slurm") from None
        self._submitit: Any = submitit
        place = private.place() / "slurm"
        place.mkdir(parents=True, exist_ok=True)
        self._folder = Path(tempfile.mkdtemp(dir=place))
        self._cluster, self._partition = cluster, partition
        self.nodes = nodes or _every_node(partition)

    def start(self, node: str, request: str, seconds: float) -> Job:
        stream = self._folder / f"stream-{time.monotonic_ns()}"
        stream.touch()
        executor = self._submitit.AutoExecutor(folder=self._folder / "%j", cluster=self._cluster)
        executor.update_parameters(name="stepbench", timeout_min=math.ceil(seconds / 60))
        if self._cluster != "local":
            only = {"nodelist": node, "nodes": 1, "no-requeue": True}
            executor.update_parameters(slurm_exclusive=True, slurm_additional_parameters=only)
            if self._partition:
                executor.update_parameters(slurm_partition=self._partition)
        try:
            job = executor.submit(_on_node(), request, str(stream), str(ROOT))
        except Exception as error:  # submitit's own, which are as many as SLURM has ways to refuse
            raise UsageError(f"SLURM took no job for it: {_line(str(error))}") from None
        return _Job(job, stream, self._cluster == "local")


class _Job:
    def __init__(self, job: Any, stream: Path, local: bool) -> None:
        self._job, self._stream, self._local = job, stream, local
        self._file = stream.open("rb")
        self._ended: float | None = None
        self._asked, self._state, self._reason = 0.0, "", ""

    def read(self, seconds: float) -> bytes:
        end = time.monotonic() + seconds
        while True:
            over = self._is_over()
            if more := self._file.read(1 << 20):
                return more
            if over:
                return b""
            if time.monotonic() >= end:
                raise TimeoutError
            time.sleep(LOOK)

    def stop(self, gently: bool) -> None:
        with suppress(OSError):
            _beside(self._stream, "stop").touch()
        if not gently:
            if not self._is_over():
                self._job.cancel(check=False)
            self._file.close()
            end = time.monotonic() + LATE
            while self._local and not self._job.done(force_check=True) and time.monotonic() < end:
                time.sleep(LOOK)

    def fate(self) -> str:
        if self._local:
            return "its job ended early"
        end = time.monotonic() + LATE
        self._ask()
        while self._state in GOING and time.monotonic() < end:  # how it ended is told once all of its processes have
            time.sleep(LOOK)
            self._ask()
        return f"SLURM says {self._state or 'nothing of its job'}{f' ({self._reason})' if self._reason else ''}"

    def _is_over(self) -> bool:
        """Whether the job has ended, and what it wrote has had the time to arrive."""
        if _beside(self._stream, "end").exists():
            return True
        now = time.monotonic()
        if self._local:
            ended = self._job.done(force_check=True)
        else:
            if now - self._asked > ASK:
                self._ask()
            ended = self._state not in GOING
        if ended and self._ended is None:
            self._ended = now
        return self._ended is not None and now - self._ended > LATE

    def _ask(self) -> None:
        """What SLURM's controller knows of the job, which needs no accounting."""
        self._asked = time.monotonic()
        told = _run("scontrol", "show", "job", "--oneliner", str(self._job.job_id))
        fields = dict(part.partition("=")[::2] for part in told.split())
        self._state = fields.get("JobState", "" if told == "" and self._state in GOING else self._state)
        self._reason = {"None": ""}.get(fields.get("Reason", ""), fields.get("Reason", ""))


def _on_node() -> Callable[[str, str, str], int]:
    """What a job runs; nested, so that it travels as it is and the node's Python needs nothing of ours to load it."""

    def serve(request: str, stream: str, root: str) -> int:
        import os
        import subprocess
        import sys
        import time

        env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))}
        with open(stream, "ab") as out:
            process = subprocess.Popen([sys.executable, "-m", "bench", "node"], stdin=subprocess.PIPE, stdout=out, env=env)
            assert process.stdin is not None
            process.stdin.write(request.encode() + b"\n")
            process.stdin.flush()
            told = False
            while process.poll() is None:
                if not told and os.path.exists(f"{stream}.stop"):
                    told = True
                    process.stdin.write(b"stop\n")
                    process.stdin.flush()
                time.sleep(0.5)
        with open(f"{stream}.end", "w"):
            pass
        return process.returncode

    return serve


def _beside(stream: Path, what: str) -> Path:
    return stream.with_name(f"{stream.name}.{what}")


def _every_node(partition: str) -> list[str]:
    """Raises `UsageError`."""
    only = ["--partition", partition] if partition else []
    nodes = [*dict.fromkeys(_run("sinfo", "--noheader", "--Node", "--format", "%N", *only).split())]
    if not nodes:
        raise UsageError("--slurm: sinfo tells of no nodes here; name them with --nodes, on a machine that can submit jobs.")
    return nodes


def _run(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return next((line for line in reversed(lines) if "error" in line.lower()), lines[-1] if lines else "no reason")


def launcher(where: str, nodes: Sequence[str]) -> Slurm:
    """Raises `UsageError`."""
    return Slurm(where, nodes)
