"""Is the processor's speed steady, are its cores ours alone, and can the clock tell rounds apart?

The kernel says so under /sys and /proc: the processor's model-specific registers need root. The
clock is `time.perf_counter`, which times the rounds.
"""

from __future__ import annotations

import re
import time
from itertools import pairwise
from statistics import median

from bench.doctor.finding import Finding, bad, ok, unknown
from bench.machine import resources
from bench.machine.files import Machine
from bench.units import seconds

CPU = "/sys/devices/system/cpu"
WATCH = "if the host is another's, the guard of a run shows whether its speed changes"
THROTTLE_COUNTS = tuple(f"{part}_{why}_count" for part in ("core", "package") for why in ("throttle", "power_limit"))

SOURCES = "/sys/devices/system/clocksource/clocksource0"
FAST = ("tsc", "arch_sys_counter")
"""The counters that x86 and ARM processors read without entering the kernel or the hypervisor."""
LONGEST = 500e-9
"""Seconds: two readings this slow would still be under 0.1 % of a round of 20 steps of 50 µs."""


def features(machine: Machine) -> set[str]:
    """The flags of the first processor in /proc/cpuinfo; empty where the kernel lists none."""
    flags = re.search(r"^flags\s*:(.*)$", machine.read("/proc/cpuinfo") or "", re.M)
    return set(flags[1].split()) if flags else set()


def governor(machine: Machine) -> Finding:
    what = "CPU governor"
    names = machine.per_cpu("cpufreq/scaling_governor")
    if not names:
        return unknown(what, "no cpufreq here; a virtual machine's host keeps it to itself", WATCH)
    slow = [name for name in names if name != "performance"]
    if slow:
        value = f"{', '.join(sorted(set(slow)))} on {len(slow)} of {len(names)} CPUs"
        return bad(what, value, "sudo cpupower frequency-set -g performance")
    return ok(what, "performance")


def boost(machine: Machine) -> Finding:
    """Intel's switch says that turbo is off, everyone else's that boost is on."""
    what = "CPU boost"
    for path, off in ((f"{CPU}/intel_pstate/no_turbo", "1"), (f"{CPU}/cpufreq/boost", "0")):
        if (switch := machine.read(path)) is not None:
            if switch == off:
                return ok(what, "off")
            return bad(what, "on: the clock depends on heat and on the other cores", f"echo {off} | sudo tee {path}")
    return unknown(what, "the kernel shows no switch for it", WATCH)


def throttling(machine: Machine) -> Finding:
    what = "CPU throttling"
    counts = [int(text) for name in THROTTLE_COUNTS for text in machine.per_cpu(f"thermal_throttle/{name}")]
    if not counts:
        return unknown(what, "the kernel counts no throttling on this processor", WATCH)
    if most := max(counts):
        return bad(what, f"up to {most} times on one CPU since boot", "cool it better, or lower its highest clock")
    return ok(what, "never since boot")


def smt(machine: Machine) -> Finding:
    what = "SMT"
    siblings = machine.per_cpu("topology/thread_siblings_list")
    if not siblings:
        return unknown(what, "the kernel shows no topology")
    if shared := {text for text in siblings if not text.isdecimal()}:
        value = f"{len(shared)} of {len(set(siblings))} cores have several threads; a neighbour on one halves a worker's speed"
        return bad(what, value, f"echo off | sudo tee {CPU}/smt/control")
    return ok(what, "one thread a core")


def cores(machine: Machine) -> Finding:
    """Not bad, since workers avoid the slower ones, but which cores were timed has to be known."""
    found = resources.cores(machine)
    speeds = [resources.capacity(core[0], machine) for core in found]
    fast = speeds.count(max(speeds))
    kinds = "all alike" if fast == len(found) else f"{fast} of {len(found)} are performance cores"
    return ok("CPU cores", f"{kinds}; workers run on the last one, CPU {found[-1][0]}")


def hypervisor(machine: Machine) -> Finding:
    what = "hypervisor"
    flags = features(machine)
    if "hypervisor" in flags or machine.exists("/sys/hypervisor/type"):
        advice = "compare rows within a run, where both had the same neighbours; or use a machine of your own"
        return bad(what, "a virtual machine: its neighbours cannot be seen", advice)
    return ok(what, "none seen") if flags else unknown(what, "/proc/cpuinfo has no flags on this architecture")


def clock_source(machine: Machine) -> Finding:
    what = "clock source"
    name = machine.read(f"{SOURCES}/current_clocksource")
    if not name:
        return unknown(what, f"no {SOURCES}")
    if name in FAST:
        return ok(what, name)
    choices = (machine.read(f"{SOURCES}/available_clocksource") or "").split()
    better = next((choice for choice in FAST if choice in choices), None)
    advice = f"echo {better} | sudo tee {SOURCES}/current_clocksource" if better else "`dmesg | grep -i tsc` says why not tsc"
    return bad(what, name, advice)


def clock(resolution: float, cost: float) -> Finding:
    """`resolution` and `cost` in seconds, as `measured_clock` gives them."""
    what = "clock"
    value = f"resolution {seconds(resolution)}, {seconds(cost)} a reading"
    if max(resolution, cost) > LONGEST:
        return bad(what, value, f"more than {seconds(LONGEST)}: raise BENCH_STEPS, and see the clock source")
    return ok(what, value)


def measured_clock(readings: int = 2001) -> tuple[float, float]:
    """Seconds: what the clock claims as its resolution, and the median between two readings back to back."""
    times = [time.perf_counter() for _ in range(readings)]
    gaps = [after - before for before, after in pairwise(times)]
    return time.get_clock_info("perf_counter").resolution, median(gaps)
