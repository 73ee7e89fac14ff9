"""If these fail, a bad instrument passes for a good one, a check that was not made passes, or a run forgets its machine."""

import io
import sys
from types import SimpleNamespace

import psutil
import pytest

from bench import __main__, doctor, session
from bench.machine.resources import Machine
from bench.measure import conductor
from bench.plan.cases import make_plan
from bench.plan.sides import Backend, Side
from bench.record import frame
from bench.settings import Settings
from bench.show import grid
from tests.support import CPU, GOOD_MACHINE, fake_nvml

CLOCK = "sys/devices/system/clocksource/clocksource0/current_clocksource"
PAGES = "sys/kernel/mm/transparent_hugepage/enabled"
TURBO = f"{CPU}/intel_pstate/no_turbo"


@pytest.mark.parametrize("what", sorted(doctor.CHECKS.keys() - {"environment"}))
def test_a_good_machine_passes_and_one_without_files_is_unknown(what, machine):
    nothing = doctor.CHECKS[what](machine({}))
    assert (nothing.state, nothing.value[:16]) == ("unknown", "cannot be read: "), nothing
    assert doctor.CHECKS[what](machine(GOOD_MACHINE)).state == "ok"


@pytest.mark.parametrize(
    ("what", "path", "text", "value", "advice"),
    [
        ("load", "proc/loadavg", "1.50 1 1 1/80 999", "1.50 on 2 CPUs", "see `top` for"),
        ("CPU quota", "sys/fs/cgroup/cpu.max", "150000 100000", "1.5 CPUs for the 2", "--cpuset-cpus"),
        ("huge pages", PAGES, "[always] madvise never", "always: which", f"tee /{PAGES}"),
        ("CPU governor", f"{CPU}/cpu1/cpufreq/scaling_governor", "powersave", "powersave on 1 of 2 CPUs", "cpupower"),
        ("CPU boost", f"{CPU}/cpufreq/boost", "1", "on: the clock", "echo 0 | sudo tee"),
        ("CPU boost", TURBO, "0", "on: the clock", f"echo 1 | sudo tee /{TURBO}"),
        ("CPU throttling", f"{CPU}/cpu1/thermal_throttle/core_throttle_count", "7", "since boot, by 1 of 2", "cool it"),
        ("CPU throttling", f"{CPU}/cpu0/thermal_throttle/package_power_limit_count", "3", "since boot, by 1 of 3", "cool it"),
        ("SMT", f"{CPU}/cpu0/topology/thread_siblings_list", "0,32", "1 of 2", "echo off | sudo"),
        ("hypervisor", "proc/cpuinfo", "flags\t: hypervisor", "a virtual", "within a run"),
        ("hypervisor", "sys/hypervisor/type", "xen", "a virtual machine", "within a run"),
        ("clock source", CLOCK, "hpet", "hpet", f"echo tsc | sudo tee /{CLOCK}"),
    ],
)
def test_each_bad_file_is_found_with_its_advice(what, path, text, value, advice, machine):
    found = doctor.CHECKS[what](machine(GOOD_MACHINE | {path: text}))
    assert (found.state, found.value[: len(value)]) == ("bad", value)
    assert advice in found.advice


BUSY = {"user": 30.0, "nice": 1.0, "system": 5.0, "irq": 0.0, "softirq": 5.0, "steal": 10.0}


@pytest.mark.parametrize(
    ("times", "moved", "available", "states"),
    [
        (dict.fromkeys(BUSY, 0.0), 0, 2**33, ["ok", "ok", "ok"]),
        (dict.fromkeys(BUSY, 0.0), 0, 2**28, ["ok", "ok", "bad"]),
        (BUSY, 2_000_000, 2**33, ["bad", "bad", "bad"]),
    ],
    ids=["quiet", "little memory", "busy"],
)
def test_what_others_do_while_we_sleep(times, moved, available, states, machine, monkeypatch):
    swap = iter([SimpleNamespace(sin=3, sout=4, used=10**9), SimpleNamespace(sin=3 + moved, sout=4, used=10**9)])
    slept = []
    monkeypatch.setattr(psutil, "swap_memory", lambda: next(swap))
    monkeypatch.setattr(psutil, "cpu_times_percent", lambda seconds: slept.append(seconds) or SimpleNamespace(**times))
    monkeypatch.setattr(doctor, "available_memory", lambda machine: available)
    found = doctor.sampled(machine({}))
    assert ([each.state for each in found.values()], slept) == (states, [0.5])
    if moved:
        assert [each.value for each in found.values()] == [
            "0.82 of 2 CPUs busy while this process slept",
            "10.0% of 0.5 s taken by other virtual machines",
            "8.6 GB available, 1.0 GB in swap, 2.0 MB moved in 0.5 s",
        ]


def test_what_changes_how_libraries_compute_is_listed(machine, monkeypatch):
    monkeypatch.setattr(doctor, "kernel_choices", lambda _: {})
    assert doctor.environment(machine({})).state == "ok"
    monkeypatch.setattr(doctor, "kernel_choices", lambda _: {"NUMBA_DISABLE_JIT": "1", "nice": "5"})
    found = doctor.environment(machine({}))
    assert (found.state, found.value) == ("bad", "NUMBA_DISABLE_JIT=1, nice=5")


@pytest.mark.parametrize(
    ("nvml", "state", "value"),
    [
        (fake_nvml(gpus=2, CurrentClocksThrottleReasons=lambda gpu: 0x45 * gpu), "bad", "GPU 1: power cap, heat (hardware)"),
        (fake_nvml(), "ok", "not now"),
        (None, "unknown", "cannot be read: no NVIDIA GPU answers"),
    ],
)
def test_a_gpu_that_is_held_back_now(nvml, state, value, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    found = doctor.gpu_throttling()
    assert (found.state, found.value) == (state, value)


def test_before_a_run_only_what_is_bad_or_unknown_is_said(machine, tmp_path):
    assert doctor.before_run(machine(GOOD_MACHINE)) == []
    bad = {"proc/loadavg": "9.00 1 1 1/80 999", f"{CPU}/cpu0/cpufreq/scaling_governor": "powersave"}
    assert doctor.before_run(machine(GOOD_MACHINE | bad)) == [
        "load: 9.00 on 2 CPUs over the last minute; see `top` for what else runs, end it or wait.",
        "CPU governor: powersave on 1 of 2 CPUs; sudo cpupower frequency-set -g performance.",
    ]
    sentences = doctor.before_run(Machine(root=tmp_path / "nothing"))
    assert sentences == ["cannot be read here: load, CPU quota, CPU governor, CPU throttling."]


def test_the_journal_keeps_what_was_said_and_the_screen_shows_it(tmp_path, monkeypatch):
    said = ["load: 9.00 on 2 CPUs; wait."]
    monkeypatch.setattr(doctor, "before_run", lambda: said)
    monkeypatch.setattr(conductor, "measure", lambda plan: iter([]))
    plain = Backend("plain", "/plain.py", "", "hash", "seed", None, ("numpy",), ("float32",), {}, {"cpu": {"float32": None}})
    settings = Settings.from_env({"BENCH_BASELINE": "plain", "BENCH_RESULTS": str(tmp_path)})
    plan = make_plan(settings, (Side(backends={"plain": plain}),), ("cpu",))
    screen = io.StringIO()
    session.run_plan(plan, grid.console(screen, width=80), lambda run: None)
    (story,) = frame.stories(tmp_path)
    assert story.header["doctor"] == said
    assert screen.getvalue().startswith(f"{said[0]}\nstepbench: ")


def test_the_command_shows_every_check_and_fits(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code = __main__.main(["doctor"])
    _, *lines, counts = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    names = [line.split("  ")[0] for line in lines if not line.startswith(" ")]
    assert names == [*doctor.CHECKS, "other processes", "CPU steal", "memory", "GPU throttling"]
    assert code == (0 if "0 bad" in counts.split(", ") else 1)
