"""Reads the kernel's files about the machine; finds the cores, processor time and memory that this process may use."""

from __future__ import annotations

import math
import os
import re
import resource
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import psutil

CGROUPS, CPUS = "/sys/fs/cgroup", "/sys/devices/system/cpu"
MEMORY = {1: ("limit_in_bytes", "usage_in_bytes", "total_inactive_file"), 2: ("max", "current", "inactive_file")}
"""Version of control groups → the files of limit and usage, and the entry of `memory.stat` that is a cache."""


@dataclass(frozen=True)
class Machine:
    """The files under `root`, which a test replaces, and the CPUs that this process may use."""

    root: Path = Path("/")
    cpus: tuple[int, ...] = field(default_factory=lambda: tuple(sorted(os.sched_getaffinity(0))))
    total_cpus: int = field(default_factory=lambda: os.cpu_count() or 1)

    def read(self, path: str) -> str | None:
        """A file's text without surrounding blanks; None where it is not there or may not be read."""
        try:
            return (self.root / path.lstrip("/")).read_text().strip()
        except (OSError, UnicodeDecodeError):
            return None

    def per_cpu(self, name: str) -> list[str]:
        """What `/sys/devices/system/cpu/cpu*/<name>` holds for the CPUs we may use, those without it left out."""
        texts = (self.read(f"{CPUS}/cpu{cpu}/{name}") for cpu in self.cpus)
        return [text for text in texts if text is not None]


def cores(machine: Machine | None = None) -> list[list[int]]:
    """The CPUs this process may use, grouped by the physical core that they share, in ascending
    order; of a hybrid processor the slower kinds of cores come first."""
    machine = machine or Machine()
    ranges = re.findall(r"(\d+)-?(\d*)", machine.read("/sys/devices/cpu_core/cpus") or "")  # Intel's hybrids: `0-3,8`
    fast = {cpu for low, high in ranges for cpu in range(int(low), int(high or low) + 1)}
    shared: dict[str, list[int]] = {}
    for cpu in machine.cpus:
        siblings = machine.read(f"{CPUS}/cpu{cpu}/topology/thread_siblings_list") or str(cpu)
        shared.setdefault(siblings, []).append(cpu)
    return sorted(shared.values(), key=lambda core: int(machine.read(f"{CPUS}/cpu{core[0]}/cpu_capacity") or core[0] in fast))


def available_memory(machine: Machine | None = None) -> int:
    """Bytes that a process can have without swapping, by the kernel, control groups and `ulimit`."""
    machine = machine or Machine()
    available = int(psutil.virtual_memory().available)
    for group, version in _groups(machine, "memory"):
        limit, usage, cache = MEMORY[version]
        text = machine.read(f"{group}/memory.{limit}") or ""
        if text.isdecimal():
            stat = dict(line.split() for line in (machine.read(f"{group}/memory.stat") or "").splitlines())
            used = int(machine.read(f"{group}/memory.{usage}") or 0) - int(stat.get(cache, 0))
            available = min(available, max(int(text) - used, 0))
    limits = (resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_DATA, resource.RLIMIT_AS))
    return min([available, *(limit for limit in limits if limit != resource.RLIM_INFINITY)])


def cpu_quotas(machine: Machine) -> list[float]:
    """CPUs that each control group around this process grants, both versions, infinity where it sets no limit."""
    found = []
    for group, version in _groups(machine, "cpu"):
        names = ("cpu.max",) if version == 2 else ("cpu.cfs_quota_us", "cpu.cfs_period_us")
        text = " ".join(machine.read(f"{group}/{name}") or "" for name in names)
        if match := re.fullmatch(r"(max|-1|\d+) (\d+)", text):
            found.append(int(match[1]) / int(match[2]) if match[1].isdecimal() else math.inf)
    return found


def _groups(machine: Machine, controller: str) -> Iterator[tuple[str, int]]:
    """The folders of the control groups around this process, and the version that they are of."""
    for line in (machine.read("/proc/self/cgroup") or "0::/").splitlines():
        _, controllers, own = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        for group in (PurePosixPath(own), *PurePosixPath(own).parents):
            inside = str(group).rstrip("/")
            yield (f"{CGROUPS}/{controller}{inside}", 1) if controllers else (CGROUPS + inside, 2)
