"""A worker process as its conductor holds it: started clean, asked line by line, suspended, ended.

It must never wait without a limit, nor leave a process behind.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from bench.paths import ROOT
from bench.plan.sides import Side
from bench.settings import Settings

KEEP_MEMORY = str(256 * 1024 * 1024)


class Died(Exception):
    """The worker is gone or does not answer, and is to be ended; one sentence that says how."""


def worker_environment(
    threads: int, allocator: str, environ: Mapping[str, str] = os.environ, folder: Path = ROOT
) -> dict[str, str]:
    """The environment a worker starts with: libraries read their thread counts once, when they are loaded.

    `folder` holds the `backends` package that is imported; `bench` is always this one.
    """
    count = str(threads)
    env = {name: value for name, value in environ.items() if not name.startswith("BENCH_")}
    env |= dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "NUMBA_NUM_THREADS"), count
    )
    env |= {"OMP_DYNAMIC": "FALSE", "MKL_DYNAMIC": "FALSE"}
    for name in ("NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"):
        env.pop(name, None)  # float32 means float32, unless a backend asks for TF32 itself
    eigen = "true" if threads > 1 else "false"
    env["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={eigen} intra_op_parallelism_threads={count}"
    env["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [*dict.fromkeys(map(str, (folder, ROOT))), environ.get("PYTHONPATH")]))
    for name in ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"):
        env.pop(name, None)
        if allocator == "pinned":
            env[name] = KEEP_MEMORY  # both: setting either alone switches off glibc's dynamic threshold
    return env


class WorkerProcess:
    """Starts at once, or raises `OSError`; usable as a context manager, which ends it."""

    def __init__(
        self,
        *,
        threads: int,
        seed: int,
        allocator: str,
        timeout: float,
        cpus: Sequence[int] = (),
        memory: int | None = None,
        python: str = sys.executable,
        folder: Path = ROOT,
    ) -> None:
        setup = {"cpus": list(cpus), "memory": memory, "seed": seed, "threads": threads}
        self._timeout, self._printed_before = timeout, 0
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115  # closed by end()
        try:
            self._process = psutil.Popen(
                # -P: the working directory may be another checkout, and must not come before PYTHONPATH
                [python, "-P", "-m", "bench.worker", json.dumps(setup)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._printed,
                env=worker_environment(threads, allocator, folder=folder),
                start_new_session=True,  # Ctrl-C reaches the conductor alone, which ends its workers in order
            )
        except OSError:
            self._printed.close()
            raise
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._process.stdout, selectors.EVENT_READ)

    @classmethod
    def on(
        cls, side: Side, settings: Settings, threads: int = 1, cpus: Sequence[int] = (), memory: int | None = None
    ) -> WorkerProcess:
        return cls(
            threads=threads,
            seed=settings.seed,
            allocator=settings.allocator,
            timeout=settings.timeout,
            cpus=cpus,
            memory=memory,
            python=side.python,
            folder=side.folder,
        )

    @property
    def pid(self) -> int:
        return int(self._process.pid)

    def ask(self, do: str, **request: Any) -> dict[str, Any]:
        """Sends one request and waits for its reply, `timeout` seconds at most. Raises `Died`."""
        self._printed_before = os.fstat(self._printed.fileno()).st_size
        try:
            self._process.stdin.write(json.dumps({"do": do, **request}).encode() + b"\n")
            self._process.stdin.flush()
            if not self._selector.select(self._timeout):
                raise Died(f"hung: no answer within {self._timeout:g} s (BENCH_TIMEOUT), so its process was ended")
            line = self._process.stdout.readline()
        except (BrokenPipeError, ConnectionResetError):
            line = b""
        if not line.endswith(b"\n"):
            raise Died(self._cause())
        reply: dict[str, Any] = json.loads(line)
        return reply

    def suspend(self) -> None:
        self._process.suspend()

    def resume(self) -> None:
        self._process.resume()

    def end(self) -> None:
        """Ends the worker and whatever it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)  # its session's group carries its pid
        with suppress(psutil.TimeoutExpired):
            self._process.wait(timeout=10)
        self._selector.close()
        for stream in (self._process.stdin, self._process.stdout, self._printed):
            with suppress(BrokenPipeError):
                stream.close()

    def _cause(self) -> str:
        try:
            code = self._process.wait(timeout=10)
        except psutil.TimeoutExpired:
            return "its process closed the conversation without ending"
        if code < 0:
            name = signal.Signals(-code).name
            hint = ": the system was out of memory, or somebody killed it" if name == "SIGKILL" else ""
            return f"its process died of {name}{hint}"
        self._printed.seek(self._printed_before)  # what others of its process printed earlier is not the cause
        last = self._printed.read().decode(errors="replace").strip().splitlines()[-1:]
        return f"its process ended with exit code {code}{': ' + last[0] if last else ''}"

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
