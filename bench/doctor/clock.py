"""Can the clock that times the rounds tell them apart? Its source, its resolution and the cost of a reading.

The clock is `time.perf_counter`, which times the rounds.
"""

from __future__ import annotations

import time
from itertools import pairwise
from statistics import median

from bench.doctor.finding import Finding, bad, ok, unknown
from bench.machine.files import Machine
from bench.units import seconds

SOURCES = "/sys/devices/system/clocksource/clocksource0"
FAST = ("tsc", "arch_sys_counter")
"""The counters that x86 and ARM processors read without entering the kernel or the hypervisor."""
LONGEST = 500e-9
"""Seconds: two readings this slow would still be under 0.1 % of a round of 20 steps of 50 µs."""


def source(machine: Machine) -> Finding:
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


def reading(resolution: float, cost: float) -> Finding:
    """`resolution` and `cost` in seconds, as `measured` gives them."""
    what = "clock"
    value = f"resolution {seconds(resolution)}, {seconds(cost)} a reading"
    if max(resolution, cost) > LONGEST:
        return bad(what, value, f"more than {seconds(LONGEST)}: raise BENCH_STEPS, and see the clock source")
    return ok(what, value)


def measured(readings: int = 2001) -> tuple[float, float]:
    """Seconds: what the clock claims as its resolution, and the median between two readings back to back."""
    times = [time.perf_counter() for _ in range(readings)]
    gaps = [after - before for before, after in pairwise(times)]
    return time.get_clock_info("perf_counter").resolution, median(gaps)
