"""Checks whether the machine is ours alone, whether its speed is steady, and whether its clock is fast.

The kernel says so under /sys and /proc: the processor's model-specific registers need root.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import psutil

from bench.machine.environment import kernel_choices
from bench.machine.resources import CGROUPS, CPUS, Machine, available_memory, cpu_quotas

BUSY_LOAD = 0.5
"""Load average per CPU above which results are noisy."""
BUSY_SHARE = 0.05
"""Of all CPUs, what others may use; a tenth of one CPU always passes, for 0.5 s has only 50 ticks."""
STEAL_SHARE = 0.01
ENOUGH_MEMORY = 2**30
"""Bytes: a worker that has loaded torch takes about a third of it, and a pass holds several."""
SAMPLED = 0.5
"""Seconds."""
SOURCES = "/sys/devices/system/clocksource/clocksource0"
FAST = ("tsc", "arch_sys_counter")
"""The counters that x86 and ARM processors read without entering the kernel or the hypervisor."""
HUGE_PAGES = "/sys/kernel/mm/transparent_hugepage/enabled"
THROTTLE_COUNTS = tuple(f"{part}_{why}_count" for part in ("core", "package") for why in ("throttle", "power_limit"))
END_OTHERS = "see `top` for what else runs, end it or wait"
WATCH = "if the host is another's, the guard of a run shows whether its speed changes"


@dataclass(frozen=True)
class Finding:
    """What one check found out. `advice` says what the machine's owner may change, if there is anything."""

    state: Literal["ok", "bad", "unknown"]
    value: str
    advice: str = ""


def ok(value: str) -> Finding:
    return Finding("ok", value)


def bad(value: str, advice: str) -> Finding:
    return Finding("bad", value, advice)


def unknown(reason: str, advice: str = "") -> Finding:
    """A check that could not be made is shown: silence would read as a pass."""
    return Finding("unknown", f"cannot be read: {reason}", advice)


def load(machine: Machine) -> Finding:
    if not (text := machine.read("/proc/loadavg")):
        return unknown("no /proc/loadavg")
    average = float(text.split()[0])
    value = f"{average:.2f} on {machine.total_cpus} CPUs over the last minute"
    return bad(value, END_OTHERS) if average > BUSY_LOAD * machine.total_cpus else ok(value)


def quota(machine: Machine) -> Finding:
    limits = cpu_quotas(machine)
    if not limits and not machine.exists(f"{CGROUPS}/cgroup.controllers"):  # version 2's root has no limit to show
        return unknown(f"no CPU control group under {CGROUPS}")
    least, cpus = min(limits, default=float("inf")), len(machine.cpus)
    if least < cpus:
        advice = "grant whole CPUs (docker: --cpuset-cpus) instead of a share of time (--cpus)"
        return bad(f"{least:g} CPUs for the {cpus} that may be used: when spent, steps stand still", advice)
    return ok("none" if least == float("inf") else f"{least:g} CPUs, as many as may be used")


def environment(machine: Machine) -> Finding:
    if found := kernel_choices(machine):
        value = ", ".join(f"{name}={text}" for name, text in found.items())
        return bad(value, "unset what you did not mean to set; it changes how libraries compute")
    return ok("nothing set that changes how libraries compute")


def hypervisor(machine: Machine) -> Finding:
    flags = re.search(r"^flags\s*:(.*)$", machine.read("/proc/cpuinfo") or "", re.M)
    if machine.exists("/sys/hypervisor/type") or (flags and "hypervisor" in flags[1].split()):
        advice = "compare rows within a run, where both had the same neighbours; or use a machine of your own"
        return bad("a virtual machine: its neighbours cannot be seen", advice)
    return ok("none seen") if flags else unknown("/proc/cpuinfo has no flags on this architecture")


def governor(machine: Machine) -> Finding:
    names = machine.per_cpu("cpufreq/scaling_governor")
    if not names:
        return unknown("no cpufreq here; a virtual machine's host keeps it to itself", WATCH)
    if slow := [name for name in names if name != "performance"]:
        value = f"{', '.join(sorted(set(slow)))} on {len(slow)} of {len(names)} CPUs"
        return bad(value, "sudo cpupower frequency-set -g performance")
    return ok("performance")


def boost(machine: Machine) -> Finding:
    """Intel's switch says that turbo is off, everyone else's that boost is on."""
    for path, off in ((f"{CPUS}/intel_pstate/no_turbo", "1"), (f"{CPUS}/cpufreq/boost", "0")):
        if (switch := machine.read(path)) is not None:
            on = bad("on: the clock depends on heat and on the other cores", f"echo {off} | sudo tee {path}")
            return ok("off") if switch == off else on
    return unknown("the kernel shows no switch for it", WATCH)


def throttling(machine: Machine) -> Finding:
    counts = [int(text) for name in THROTTLE_COUNTS for text in machine.per_cpu(f"thermal_throttle/{name}")]
    if not counts:
        return unknown("the kernel counts no throttling on this processor", WATCH)
    if most := max(counts):
        return bad(f"up to {most} times on one CPU since boot", "cool it better, or lower its highest clock")
    return ok("never since boot")


def smt(machine: Machine) -> Finding:
    siblings = set(machine.per_cpu("topology/thread_siblings_list"))
    if not siblings:
        return unknown("the kernel shows no topology")
    if shared := sum(not text.isdecimal() for text in siblings):
        value = f"{shared} of {len(siblings)} cores have several threads; a neighbour on one halves a worker's speed"
        return bad(value, f"echo off | sudo tee {CPUS}/smt/control")
    return ok("one thread a core")


def huge_pages(machine: Machine) -> Finding:
    chosen = re.search(r"\[(\w+)\]", machine.read(HUGE_PAGES) or "")
    if not chosen:
        return unknown(f"no {HUGE_PAGES}")
    if chosen[1] == "always":
        return bad("always: which arrays get one differs from process to process", f"echo madvise | sudo tee {HUGE_PAGES}")
    return ok(chosen[1])


def clock_source(machine: Machine) -> Finding:
    """Of `time.perf_counter`, which times the rounds."""
    name = machine.read(f"{SOURCES}/current_clocksource")
    if not name:
        return unknown(f"no {SOURCES}")
    choices = (machine.read(f"{SOURCES}/available_clocksource") or "").split()
    better = next((choice for choice in FAST if choice in choices), None)
    advice = f"echo {better} | sudo tee {SOURCES}/current_clocksource" if better else "`dmesg | grep -i tsc` says why not tsc"
    return ok(name) if name in FAST else bad(name, advice)


CHECKS = {
    "load": load,
    "CPU quota": quota,
    "environment": environment,
    "hypervisor": hypervisor,
    "CPU governor": governor,
    "CPU boost": boost,
    "CPU throttling": throttling,
    "SMT": smt,
    "huge pages": huge_pages,
    "clock source": clock_source,
}
"""Checks that read files of the kernel and take no time."""


def sampled(machine: Machine) -> dict[str, Finding]:
    """What others do while this process sleeps, so that its own work is not taken for a neighbour's."""
    before = psutil.swap_memory()
    times = psutil.cpu_times_percent(SAMPLED)
    swap = psutil.swap_memory()
    busy = (times.user + times.nice + times.system + times.irq + times.softirq) / 100
    value = f"{busy * machine.total_cpus:.2f} of {machine.total_cpus} CPUs busy while this process slept"
    others = bad(value, END_OTHERS) if busy > max(BUSY_SHARE, 0.1 / machine.total_cpus) else ok(value)
    value = f"{times.steal:.1f}% of {SAMPLED} s taken by other virtual machines"
    stolen = times.steal / 100 > STEAL_SHARE
    steal = bad(value, "measure at another hour, or on a dedicated host") if stolen else ok(value)
    moved = swap.sin + swap.sout - before.sin - before.sout
    return {"other processes": others, "CPU steal": steal, "memory": memory(available_memory(machine), swap.used, moved)}


def memory(available: int, in_swap: int, moved: int) -> Finding:
    """Swap that is merely occupied does no harm; pages that move, or memory so short that they soon will, do. In bytes."""
    value = f"{available / 1e9:.1f} GB available, {in_swap / 1e9:.1f} GB in swap"
    if moved:
        return bad(f"{value}, {moved / 1e6:.1f} MB swapped in {SAMPLED} s", "free memory, or sudo swapoff -a")
    if available < ENOUGH_MEMORY:
        return bad(value, f"free memory until {ENOUGH_MEMORY / 1e9:.1f} GB are available")
    return ok(value)
