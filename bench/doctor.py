"""Checks what makes this machine a bad instrument; what cannot be read is unknown, because silence would read as a pass."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import psutil
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from bench.machine import devices
from bench.machine.environment import kernel_choices
from bench.machine.resources import CGROUPS, CPUS, Machine, available_memory, cpu_quotas
from bench.schema.records import UNREAD

BUSY_LOAD = 0.5  # load average per CPU above which results are noisy
BUSY_SHARE = 0.05  # of all CPUs, what others may use; a tenth of one CPU always passes, for 0.5 s has only 50 ticks
ENOUGH_MEMORY = 2**30  # bytes: a worker that has loaded torch takes about a third of it, and a pass holds several
SAMPLED = 0.5  # seconds
END_OTHERS = "see `top` for what else runs, end it or wait"
STYLES = {"ok": "green", "bad": "bold red", "unknown": "yellow"}


@dataclass(frozen=True)
class Finding:
    """What one check found out. `advice` says what the machine's owner may change, if there is anything."""

    state: Literal["ok", "bad", "unknown"]
    value: str
    advice: str = ""


def _judged(is_bad: bool, value: str, advice: str) -> Finding:
    return Finding("bad", value, advice) if is_bad else Finding("ok", value)


def _unread(reason: str) -> Finding:
    return Finding("unknown", f"cannot be read: {reason}")


def load(machine: Machine) -> Finding:
    if not (text := machine.read("/proc/loadavg")):
        return _unread("no /proc/loadavg")
    average = float(text.split()[0])
    cpus = machine.total_cpus
    return _judged(average > BUSY_LOAD * cpus, f"{average:.2f} on {cpus} CPUs over the last minute", END_OTHERS)


def quota(machine: Machine) -> Finding:
    limits = cpu_quotas(machine)
    if not limits and machine.read(f"{CGROUPS}/cgroup.controllers") is None:  # version 2's root has no limit to show
        return _unread(f"no CPU control group under {CGROUPS}")
    least, cpus = min(limits, default=float("inf")), len(machine.cpus)
    value = "none" if least == float("inf") else f"{least:g} CPUs for the {cpus} that may be used"
    return _judged(least < cpus, value, "grant whole CPUs (docker: --cpuset-cpus) instead of a share of time (--cpus)")


def environment(machine: Machine) -> Finding:
    found = ", ".join(f"{name}={text}" for name, text in kernel_choices(machine).items())
    return _judged(bool(found), found or "nothing set that changes how libraries compute", "unset what you did not mean to set")


def hypervisor(machine: Machine) -> Finding:
    flags = re.search(r"^flags\s*:(.*)$", machine.read("/proc/cpuinfo") or "", re.M)
    if machine.read("/sys/hypervisor/type") or (flags and "hypervisor" in flags[1].split()):
        advice = "compare rows within a run, where both had the same neighbours; or use a machine of your own"
        return Finding("bad", "a virtual machine: its neighbours cannot be seen", advice)
    return Finding("ok", "none seen") if flags else _unread("/proc/cpuinfo has no flags on this architecture")


@dataclass(frozen=True)
class Files:
    """A check of files of the kernel: bad if the text of any is another one than wanted.

    `bad` may name the texts that were `found`, how `many` files they are in and of how many (`total`); `advice` the first such
    file (`path`) and what it should hold (`good`).
    """

    wanted: dict[str, str]
    """Path → a pattern for the whole text; a relative path is read for each CPU that this process may use."""
    ok: str
    bad: str
    advice: str

    def __call__(self, machine: Machine) -> Finding:
        texts = []
        for path, good in self.wanted.items():
            each = [machine.read(path)] if path.startswith("/") else machine.per_cpu(path)
            texts += [(text, path, good) for text in each if text is not None]
        if not texts:
            return _unread(f"the kernel has no {next(iter(self.wanted))} here")
        unwanted = [(text, path, good) for text, path, good in texts if not re.fullmatch(good, text)]
        if not unwanted:
            return Finding("ok", self.ok)
        found, (_, path, good) = ", ".join(sorted({text for text, *_ in unwanted})), unwanted[0]
        value = self.bad.format(found=found, many=len(unwanted), total=len(texts))
        return Finding("bad", value, self.advice.format(path=path, good=good))


COUNTS = [f"thermal_throttle/{part}_{why}_count" for part in ("core", "package") for why in ("throttle", "power_limit")]
BOOST = {f"{CPUS}/intel_pstate/no_turbo": "1", f"{CPUS}/cpufreq/boost": "0"}
"""Intel's switch says that turbo is off, everyone else's that boost is on."""
CLOCK = {"/sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc|arch_sys_counter"}
"""Of `time.perf_counter`: the counters that processors read without entering kernel or hypervisor."""
PAGES = {"/sys/kernel/mm/transparent_hugepage/enabled": r".*\[(madvise|never)\].*"}
SHARED = "{many} of {total} CPUs share a core with another one; a neighbour there halves a worker's speed"
CHECKS: dict[str, Callable[[Machine], Finding]] = {
    "load": load,
    "CPU quota": quota,
    "environment": environment,
    "hypervisor": hypervisor,
    "CPU governor": Files({"cpufreq/scaling_governor": "performance"}, "performance", "{found} on {many} of {total} CPUs",
                          "sudo cpupower frequency-set -g performance"),
    "CPU boost": Files(BOOST, "off", "on: the clock depends on heat and on the other cores", "echo {good} | sudo tee {path}"),
    "CPU throttling": Files(dict.fromkeys(COUNTS, "0"), "never since boot", "since boot, by {many} of {total} counters",
                            "cool it better, or lower its highest clock"),
    "SMT": Files({"topology/thread_siblings_list": r"\d+"}, "one thread a core", SHARED,
                 f"echo off | sudo tee {CPUS}/smt/control"),
    "huge pages": Files(PAGES, "not always", "always: which arrays get one differs from process to process",
                        "echo madvise | sudo tee {path}"),
    "clock source": Files(CLOCK, "the processor's counter", "{found}",
                          "echo tsc | sudo tee {path}; if that is refused, `dmesg | grep -i tsc` says why"),
}  # fmt: skip
BEFORE_RUNS = ("load", "CPU quota", "CPU governor", "CPU throttling")


def examine() -> dict[str, Finding]:
    """Makes every check; takes about half a second."""
    machine = Machine()
    found = sampled(machine)  # before this process does anything else
    return {what: check(machine) for what, check in CHECKS.items()} | found | {"GPU throttling": gpu_throttling()}


def sampled(machine: Machine) -> dict[str, Finding]:
    """What others do while this process sleeps, so that its own work is not taken for a neighbour's."""
    before = psutil.swap_memory()
    times = psutil.cpu_times_percent(SAMPLED)
    swap = psutil.swap_memory()
    busy = (times.user + times.nice + times.system + times.irq + times.softirq) / 100
    value = f"{busy * machine.total_cpus:.2f} of {machine.total_cpus} CPUs busy while this process slept"
    stolen = f"{times.steal:.1f}% of {SAMPLED} s taken by other virtual machines"
    moved = swap.sin + swap.sout - before.sin - before.sout  # swap that is merely occupied does no harm
    available = available_memory(machine)
    memory = f"{available / 1e9:.1f} GB available, {swap.used / 1e9:.1f} GB in swap, {moved / 1e6:.1f} MB moved in {SAMPLED} s"
    free = f"free memory until {ENOUGH_MEMORY / 1e9:.1f} GB are available, or sudo swapoff -a if pages move"
    return {
        "other processes": _judged(busy > max(BUSY_SHARE, 0.1 / machine.total_cpus), value, END_OTHERS),
        "CPU steal": _judged(times.steal > 1, stolen, "measure at another hour, or on a dedicated host"),
        "memory": _judged(moved > 0 or available < ENOUGH_MEMORY, memory, free),
    }


def gpu_throttling() -> Finding:
    if not (gpus := devices.gpus()):
        return _unread("no NVIDIA GPU answers")
    held = "; ".join(f"GPU {index}: {', '.join(why)}" for index, gpu in enumerate(gpus) if (why := devices.held_back(gpu)))
    return _judged(bool(held), held or "not now", "cool it better, or sudo nvidia-smi --lock-gpu-clocks=MHZ")


def before_run(machine: Machine | None = None) -> list[str]:
    """A sentence per check of `BEFORE_RUNS` that found something bad, and one for all those that could not be made."""
    machine = machine or Machine()
    findings = {what: CHECKS[what](machine) for what in BEFORE_RUNS}
    sentences = [f"{what}: {found.value}; {found.advice}." for what, found in findings.items() if found.state == "bad"]
    unread = ", ".join(what for what, found in findings.items() if found.state == "unknown")
    return sentences + [f"{UNREAD}: {unread}."] * bool(unread)


def show(findings: dict[str, Finding], to: Console) -> None:
    """A row per check; what to do stands below what was found, so that a command stays whole on a narrow screen."""
    advised = Column("what was found → what to do", overflow="fold")
    table = Table("check", "state", advised, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for what, finding in findings.items():
        text = Text.assemble(finding.value, (f"\n→ {finding.advice}" if finding.advice else "", "bold"))
        table.add_row(Text(what, no_wrap=True), Text(finding.state, style=STYLES[finding.state]), text)
    to.print(table, soft_wrap=False)
    counts = (f"{sum(finding.state == state for finding in findings.values())} {state}" for state in STYLES)
    to.print(f"checks: {', '.join(counts)}")
