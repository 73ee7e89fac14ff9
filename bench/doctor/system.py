"""Who else uses the machine, and what the kernel takes away: quota, load, steal, memory, huge pages.

What is sampled is sampled while this process sleeps, so that its own work is not taken for a neighbour's.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import psutil

from bench.doctor.finding import Finding, bad, ok, unknown
from bench.machine.environment import kernel_choices
from bench.machine.files import Machine
from bench.machine.resources import CGROUPS, cpu_quotas

BUSY_LOAD = 0.5
"""Load average per CPU above which results are noisy."""
BUSY_SHARE = 0.05
"""Of all CPUs, what others may use; a tenth of one CPU always passes, for 0.5 s has only 50 ticks."""
STEAL_SHARE = 0.01
ENOUGH_MEMORY = 2**30
"""Bytes: a worker that has loaded torch takes about a third of it, and a pass holds several."""


@dataclass(frozen=True)
class Sample:
    """CPU seconds by kind and pages swapped, while this process slept."""

    seconds: float
    cpu: Mapping[str, float]
    swapped: int

    @classmethod
    def take(cls, machine: Machine, seconds: float = 0.5, times: Callable[[], Any] = psutil.cpu_times) -> Sample:
        before, pages, start = times()._asdict(), _swapped(machine), time.monotonic()
        time.sleep(seconds)
        after, took = times()._asdict(), time.monotonic() - start
        return cls(took, {kind: after[kind] - before[kind] for kind in before}, _swapped(machine) - pages)


def quota(machine: Machine) -> Finding:
    what = "CPU quota"
    limits = cpu_quotas(machine)
    if not limits and not machine.exists(f"{CGROUPS}/cgroup.controllers"):  # version 2's root has no limit to show
        return unknown(what, f"no CPU control group under {CGROUPS}")
    least, cpus = min(limits, default=float("inf")), len(machine.cpus)
    if least < cpus:
        advice = "grant whole CPUs (docker: --cpuset-cpus) instead of a share of time (--cpus)"
        return bad(what, f"{least:g} CPUs for the {cpus} that may be used: when spent, steps stand still", advice)
    return ok(what, "none" if least == float("inf") else f"{least:g} CPUs, as many as may be used")


def environment(machine: Machine) -> Finding:
    what = "environment"
    if found := kernel_choices(machine):
        value = ", ".join(f"{name}={text}" for name, text in found.items())
        advice = "unset what you did not mean to set; it changes how libraries compute"
        return bad(what, value, advice)
    return ok(what, "nothing set that changes how libraries compute")


def load(machine: Machine) -> Finding:
    what = "load"
    text = machine.read("/proc/loadavg")
    if not text:
        return unknown(what, "no /proc/loadavg")
    average = float(text.split()[0])
    value = f"{average:.2f} on {machine.total_cpus} CPUs over the last minute"
    if average > BUSY_LOAD * machine.total_cpus:
        return bad(what, value, "see `top` for what else runs, end it or wait")
    return ok(what, value)


def neighbours(machine: Machine, sample: Sample) -> Finding:
    what = "other processes"
    busy = sum(sample.cpu.get(kind, 0.0) for kind in ("user", "nice", "system", "irq", "softirq")) / sample.seconds
    value = f"{busy:.2f} of {machine.total_cpus} CPUs busy while this process slept"
    if busy > max(BUSY_SHARE * machine.total_cpus, 0.1):
        return bad(what, value, "see `top` for what else runs, end it or wait")
    return ok(what, value)


def steal(machine: Machine, sample: Sample) -> Finding:
    what = "CPU steal"
    if "steal" not in sample.cpu:
        return unknown(what, "the kernel does not count it")
    share = sample.cpu["steal"] / (sample.seconds * machine.total_cpus)
    value = f"{share:.1%} of {sample.seconds:.1f} s taken by other virtual machines"
    if share > STEAL_SHARE:
        return bad(what, value, "measure at another hour, or on a dedicated host")
    return ok(what, value)


def memory(machine: Machine, sample: Sample, available: int) -> Finding:
    """Swap that is merely occupied does no harm; pages that move, or memory so short that they soon will, do."""
    what = "memory"
    sizes = dict(re.findall(r"^(\w+):\s+(\d+) kB$", machine.read("/proc/meminfo") or "", re.M))
    swap = (int(sizes["SwapTotal"]) - int(sizes["SwapFree"])) * 1024 if "SwapFree" in sizes else None
    value = f"{available / 1e9:.1f} GB available, " + ("swap unknown" if swap is None else f"{swap / 1e9:.1f} GB in swap")
    if sample.swapped:
        value += f", {sample.swapped} pages swapped in {sample.seconds:.1f} s"
        return bad(what, value, "free memory, or sudo swapoff -a")
    if available < ENOUGH_MEMORY:
        return bad(what, value, f"free memory until {ENOUGH_MEMORY / 1e9:.1f} GB are available")
    return ok(what, value) if swap is not None else unknown(what, f"no sizes in /proc/meminfo; {value}")


def huge_pages(machine: Machine) -> Finding:
    what = "huge pages"
    path = "/sys/kernel/mm/transparent_hugepage/enabled"
    chosen = re.search(r"\[(\w+)\]", machine.read(path) or "")
    if not chosen:
        return unknown(what, f"no {path}")
    if chosen[1] == "always":
        value = "always: which arrays get one differs from process to process"
        return bad(what, value, f"echo madvise | sudo tee {path}")
    return ok(what, chosen[1])


def _swapped(machine: Machine) -> int:
    return sum(map(int, re.findall(r"^pswp(?:in|out) (\d+)$", machine.read("/proc/vmstat") or "", re.M)))
