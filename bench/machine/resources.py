"""What of the machine this process may use: cores, processor time and memory."""

from __future__ import annotations

import math
import os
import re
from pathlib import PurePosixPath

from bench.machine.files import Machine

CGROUPS = "/sys/fs/cgroup"


def cores(machine: Machine | None = None) -> list[list[int]]:
    """The CPUs this process may use, in ascending order, grouped by the physical core that they share."""
    machine = machine or Machine()
    shared: dict[str, list[int]] = {}
    for cpu in machine.cpus:
        siblings = machine.read(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list") or str(cpu)
        shared.setdefault(siblings, []).append(cpu)
    return list(shared.values())


def available_memory(machine: Machine | None = None) -> int:
    """Bytes that can be had without swapping, the control group's limit included."""
    machine = machine or Machine()
    available = _number(r"^MemAvailable:\s+(\d+) kB$", machine.read("/proc/meminfo")) * 1024
    available = available or os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")  # where the kernel does not tell: all
    limit = machine.read(f"{CGROUPS}/memory.max")
    if limit and limit.isdecimal():
        cache = _number(r"^inactive_file (\d+)$", machine.read(f"{CGROUPS}/memory.stat"))
        used = int(machine.read(f"{CGROUPS}/memory.current") or 0) - cache
        available = min(available, max(int(limit) - used, 0))
    return available


def cpu_quotas(machine: Machine) -> list[float]:
    """CPUs that each control group around this process grants, both versions, infinity where it sets no limit."""
    found = []
    for line in (machine.read("/proc/self/cgroup") or "0::/").splitlines():
        _, controllers, own = line.split(":", 2)
        for group in (PurePosixPath(own), *PurePosixPath(own).parents):
            inside = str(group).rstrip("/")
            if not controllers:
                text = machine.read(f"{CGROUPS}{inside}/cpu.max")
            elif "cpu" in controllers.split(","):
                folder = f"{CGROUPS}/cpu{inside}"
                text = f"{machine.read(f'{folder}/cpu.cfs_quota_us')} {machine.read(f'{folder}/cpu.cfs_period_us')}"
            else:
                continue
            if match := re.fullmatch(r"(max|-1|\d+) (\d+)", text or ""):
                found.append(int(match[1]) / int(match[2]) if match[1].isdecimal() else math.inf)
    return found


def cpu_quota(machine: Machine | None = None) -> float | None:
    """CPUs that the control groups around this process grant together, None where none sets a limit."""
    least = min(cpu_quotas(machine or Machine()), default=math.inf)
    return least if math.isfinite(least) else None


def _number(pattern: str, text: str | None) -> int:
    match = re.search(pattern, text or "", re.MULTILINE)
    return int(match[1]) if match else 0
