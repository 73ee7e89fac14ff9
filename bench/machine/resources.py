"""What of the machine this process may use: cores, processor time and memory."""

from __future__ import annotations

import math
import os
import re
import resource
from collections.abc import Iterator
from pathlib import PurePosixPath

from bench.machine.files import Machine

CGROUPS, CPUS = "/sys/fs/cgroup", "/sys/devices/system/cpu"


def cores(machine: Machine | None = None) -> list[list[int]]:
    """The CPUs this process may use, grouped by the physical core that they share, in ascending
    order; of a hybrid processor the slower kinds of cores come first."""
    machine = machine or Machine()
    shared: dict[str, list[int]] = {}
    for cpu in machine.cpus:
        siblings = machine.read(f"{CPUS}/cpu{cpu}/topology/thread_siblings_list") or str(cpu)
        shared.setdefault(siblings, []).append(cpu)
    return sorted(shared.values(), key=lambda core: capacity(core[0], machine))


def capacity(cpu: int, machine: Machine) -> int:
    """What the kernel says of a CPU's speed beside that of the others; 0 where all are alike."""
    fast = _numbers(machine.read("/sys/devices/cpu_core/cpus") or "")  # of Intel's hybrids
    return int(machine.read(f"{CPUS}/cpu{cpu}/cpu_capacity") or cpu in fast)


def available_memory(machine: Machine | None = None) -> int:
    """Bytes that a process can have without swapping, by the kernel, control groups and `ulimit`."""
    machine = machine or Machine()
    available = _number(r"^MemAvailable:\s+(\d+) kB$", machine.read("/proc/meminfo")) * 1024
    available = available or os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")  # where the kernel does not tell: all
    for group, version in _groups(machine, "memory"):
        limit, usage, cache = "memory.max", "memory.current", "inactive_file"
        if version == 1:
            limit, usage, cache = "memory.limit_in_bytes", "memory.usage_in_bytes", f"total_{cache}"
        text = machine.read(f"{group}/{limit}") or ""
        if text.isdecimal():
            free = _number(rf"^{cache} (\d+)$", machine.read(f"{group}/memory.stat"))
            used = int(machine.read(f"{group}/{usage}") or 0) - free
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


def cpu_quota(machine: Machine | None = None) -> float | None:
    """CPUs that the control groups around this process grant together, None where none sets a limit."""
    least = min(cpu_quotas(machine or Machine()), default=math.inf)
    return least if math.isfinite(least) else None


def _numbers(text: str) -> set[int]:
    """Those in a list of the kernel's, such as `0-3,8`."""
    ends = (part.partition("-") for part in text.split(",") if part)
    return {number for low, _, high in ends for number in range(int(low), int(high or low) + 1)}


def _number(pattern: str, text: str | None) -> int:
    match = re.search(pattern, text or "", re.MULTILINE)
    return int(match[1]) if match else 0
