"""If these fail, a bad instrument passes for a good one, or a check that was not made passes."""

from types import SimpleNamespace

import psutil
import pytest

from bench.doctor import checks
from tests.support import CPU, GOOD_MACHINE

SOURCES = "sys/devices/system/clocksource/clocksource0"
PAGES = "sys/kernel/mm/transparent_hugepage/enabled"
GROUPS = "sys/fs/cgroup"
TURBO = f"{CPU}/intel_pstate/no_turbo"


@pytest.mark.parametrize("what", sorted(checks.CHECKS.keys() - {"environment"}))
def test_a_good_machine_passes_and_one_without_files_is_unknown(what, machine):
    nothing = checks.CHECKS[what](machine({}))
    assert (nothing.state, nothing.value[:16]) == ("unknown", "cannot be read: "), nothing
    assert checks.CHECKS[what](machine(GOOD_MACHINE)).state == "ok"


@pytest.mark.parametrize(
    ("check", "path", "text", "value", "advice"),
    [
        (checks.load, "proc/loadavg", "1.50 1 1 1/80 999", "1.50 on 2 CPUs", "see `top` for"),
        (checks.quota, f"{GROUPS}/cpu.max", "150000 100000", "1.5 CPUs for the 2", "--cpuset-cpus"),
        (checks.huge_pages, PAGES, "[always] madvise never", "always: which", f"tee /{PAGES}"),
        (checks.governor, f"{CPU}/cpu1/cpufreq/scaling_governor", "powersave",
         "powersave on 1 of 2 CPUs", "cpupower"),
        (checks.boost, f"{CPU}/cpufreq/boost", "1", "on: the clock", "echo 0 | sudo tee"),
        (checks.boost, TURBO, "0", "on: the clock", f"echo 1 | sudo tee /{TURBO}"),
        (checks.throttling, f"{CPU}/cpu1/thermal_throttle/core_throttle_count", "7",
         "up to 7 times", "cool it better"),
        (checks.throttling, f"{CPU}/cpu0/thermal_throttle/package_power_limit_count", "3",
         "up to 3 times", "cool it better"),
        (checks.smt, f"{CPU}/cpu0/topology/thread_siblings_list", "0,32", "1 of 2", "echo off | sudo"),
        (checks.hypervisor, "proc/cpuinfo", "flags\t: hypervisor", "a virtual", "within a run"),
        (checks.hypervisor, "sys/hypervisor/type", "xen", "a virtual machine", "within a run"),
        (checks.clock_source, f"{SOURCES}/current_clocksource", "hpet", "hpet", "`dmesg | grep -i tsc`"),
    ],
)  # fmt: skip
def test_each_bad_file_is_found_with_its_advice(check, path, text, value, advice, machine):
    found = check(machine(GOOD_MACHINE | {path: text}))
    assert (found.state, found.value[: len(value)]) == ("bad", value)
    assert advice in found.advice


def test_a_better_clock_source_is_named_where_there_is_one(machine):
    names = {"current": "hpet", "available": "hpet tsc acpi_pm"}
    files = {f"{SOURCES}/{name}_clocksource": text for name, text in names.items()}
    advice = f"echo tsc | sudo tee /{SOURCES}/current_clocksource"
    assert checks.clock_source(machine(files)).advice == advice


BUSY = {"user": 30.0, "nice": 1.0, "system": 5.0, "irq": 0.0, "softirq": 5.0, "steal": 10.0}


@pytest.mark.parametrize(
    ("times", "moved", "states"),
    [(dict.fromkeys(BUSY, 0.0), 0, ["ok"] * 3), (BUSY, 2_000_000, ["bad"] * 3)],
    ids=["quiet", "busy"],
)
def test_what_others_do_while_we_sleep(times, moved, states, machine, monkeypatch):
    swap = iter([SimpleNamespace(sin=3, sout=4, used=10**9), SimpleNamespace(sin=3 + moved, sout=4, used=10**9)])
    slept = []
    monkeypatch.setattr(psutil, "swap_memory", lambda: next(swap))
    monkeypatch.setattr(psutil, "cpu_times_percent", lambda seconds: slept.append(seconds) or SimpleNamespace(**times))
    monkeypatch.setattr(checks, "available_memory", lambda machine: 2**33)
    found = checks.sampled(machine({}))
    assert [each.state for each in found.values()] == states
    assert slept == [0.5]
    values = [each.value for each in found.values()]
    if moved:
        assert values[0] == "0.82 of 2 CPUs busy while this process slept"
        assert values[1] == "10.0% of 0.5 s taken by other virtual machines"
        assert "2.0 MB swapped in 0.5 s" in values[2]
    else:
        assert values[2] == "8.6 GB available, 1.0 GB in swap"


def test_little_memory_is_bad():
    little = checks.memory(available=2**28, in_swap=0, moved=0)
    assert little.advice == "free memory until 1.1 GB are available"


def test_what_changes_how_libraries_compute_is_listed(machine, monkeypatch):
    monkeypatch.setattr(checks, "kernel_choices", lambda _: {})
    assert checks.environment(machine({})).state == "ok"
    monkeypatch.setattr(checks, "kernel_choices", lambda _: {"NUMBA_DISABLE_JIT": "1", "nice": "5"})
    found = checks.environment(machine({}))
    assert (found.state, found.value) == ("bad", "NUMBA_DISABLE_JIT=1, nice=5")
