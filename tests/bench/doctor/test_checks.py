"""If these fail, a bad instrument passes for a good one, or a check that was not made passes."""

from types import SimpleNamespace

import pytest

from bench.doctor import cpu, system, worker
from bench.machine.files import Machine
from bench.settings import Settings
from tests.support import CPU, GOOD_MACHINE

SOURCES = "sys/devices/system/clocksource/clocksource0"
PAGES = "sys/kernel/mm/transparent_hugepage/enabled"
GROUPS = "sys/fs/cgroup"
TURBO = f"{CPU}/intel_pstate/no_turbo"
IDLE = {"user": 0.01, "nice": 0.0, "system": 0.01, "idle": 0.98, "steal": 0.0}
QUIET = system.Sample(0.5, IDLE, swapped=0)
FILE_CHECKS = (
    system.load, system.quota, system.huge_pages, cpu.governor, cpu.boost, cpu.throttling,
    cpu.smt, cpu.hypervisor, cpu.clock_source,
)  # fmt: skip


@pytest.mark.parametrize("check", FILE_CHECKS, ids=lambda check: check.__name__)
def test_a_good_machine_passes_and_one_without_files_is_unknown(check, machine):
    nothing = check(machine({}))
    assert (nothing.state, nothing.value[:16]) == ("unknown", "cannot be read: "), nothing
    assert check(machine(GOOD_MACHINE)).state == "ok"


@pytest.mark.parametrize(
    ("check", "path", "text", "value", "advice"),
    [
        (system.load, "proc/loadavg", "1.50 1 1 1/80 999", "1.50 on 2 CPUs", "see `top` for"),
        (system.quota, f"{GROUPS}/cpu.max", "150000 100000", "1.5 CPUs for the 2", "--cpuset-cpus"),
        (system.huge_pages, PAGES, "[always] madvise never", "always: which", f"tee /{PAGES}"),
        (cpu.governor, f"{CPU}/cpu1/cpufreq/scaling_governor", "powersave",
         "powersave on 1 of 2 CPUs", "cpupower"),
        (cpu.boost, f"{CPU}/cpufreq/boost", "1", "on: the clock", "echo 0 | sudo tee"),
        (cpu.boost, TURBO, "0", "on: the clock", f"echo 1 | sudo tee /{TURBO}"),
        (cpu.throttling, f"{CPU}/cpu1/thermal_throttle/core_throttle_count", "7",
         "up to 7 times", "cool it better"),
        (cpu.throttling, f"{CPU}/cpu0/thermal_throttle/package_power_limit_count", "3",
         "up to 3 times", "cool it better"),
        (cpu.smt, f"{CPU}/cpu0/topology/thread_siblings_list", "0,32", "1 of 2", "echo off | sudo"),
        (cpu.hypervisor, "proc/cpuinfo", "flags\t: hypervisor", "a virtual", "within a run"),
        (cpu.hypervisor, "sys/hypervisor/type", "xen", "a virtual machine", "within a run"),
        (cpu.clock_source, f"{SOURCES}/current_clocksource", "hpet", "hpet", "`dmesg | grep -i tsc`"),
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
    assert cpu.clock_source(machine(files)).advice == advice


def test_what_others_do_while_we_sleep(machine):
    memory = "MemTotal: 8 kB\nSwapTotal:  2000000 kB\nSwapFree:  1000000 kB"
    here = machine({"proc/meminfo": memory})
    busy = system.Sample(0.5, {**IDLE, "user": 0.4, "steal": 0.05}, swapped=12)
    checks = (
        system.neighbours, system.steal,
        lambda here, sample: system.memory(here, sample, available=2**33),
    )  # fmt: skip
    for sample, state in ((QUIET, "ok"), (busy, "bad")):
        assert [check(here, sample).state for check in checks] == [state] * 3
    values = [check(here, busy).value for check in checks]
    assert values[0] == "0.82 of 2 CPUs busy while this process slept"
    assert "12 pages swapped" in values[2]
    assert checks[2](here, QUIET).value == "8.6 GB available, 1.0 GB in swap"
    assert "dedicated host" in system.steal(here, busy).advice
    little = system.memory(here, QUIET, available=2**28)
    assert little.advice == "free memory until 1.1 GB are available"


def test_a_kernel_that_counts_no_steal_and_no_swap_is_unknown(tmp_path):
    here, blind = Machine(root=tmp_path), system.Sample(0.5, {"user": 0.0, "system": 0.0}, 0)
    assert system.steal(here, blind).state == "unknown"
    assert system.memory(here, blind, available=2**33).state == "unknown"


def test_a_sample_is_the_difference_over_its_time(machine):
    readings = iter([{"user": 1.0}, {"user": 1.5}])
    here = machine({"proc/vmstat": "pswpin 3\npswpout 4"})
    sample = system.Sample.take(
        here, seconds=0.01, times=lambda: SimpleNamespace(_asdict=lambda: next(readings))
    )
    assert (sample.cpu, sample.swapped) == ({"user": 0.5}, 0)
    assert sample.seconds >= 0.01


def test_the_clock():
    assert cpu.clock(1e-9, 50e-9).value == "resolution 1.00 ns, 50.0 ns a reading"
    readings = ((1e-9, 50e-9), (1e-9, 2e-6), (1e-3, 50e-9))
    assert [cpu.clock(*each).state for each in readings] == ["ok", "bad", "bad"]
    resolution, cost = cpu.measured_clock(readings=11)
    assert 0 < resolution < 1
    assert 0 < cost < 1


def _answer(faults=0.0, cpus_used=1.0, kernels=(), **pools):
    return {"faults": faults, "cpus_used": cpus_used, "pools": pools, "kernels": dict(kernels)}


DIED = "numpy: it died"


@pytest.mark.parametrize(
    ("answer", "state", "value"),
    [
        (_answer(openblas=1), "ok", "1 as asked for (openblas)"),
        (_answer(), "bad", "threadpoolctl sees no BLAS pool"),
        (_answer(openmp=1), "bad", "threadpoolctl sees no BLAS pool"),
        (_answer(openblas=1, openmp=2), "bad", "openmp uses 2, asked for 1"),
        (_answer(openblas=1, cpus_used=1.9), "bad", "1.9 CPUs busy with 1 asked for, whatever o"),
        (DIED, "unknown", f"cannot be read: {DIED}"),
    ],
)
def test_threads_are_judged_by_pools_and_by_cpu_time(answer, state, value):
    found = worker.threads("numpy", answer, 1)
    assert (found.state, bool(found.advice)) == (state, state == "bad")
    assert found.value.startswith(value)


AVX512 = "flags\t: fpu avx512f avx512bw avx512dq avx512vl"
ON_AVX512 = "on a processor with AVX-512"


@pytest.mark.parametrize(
    ("kernels", "flags", "state", "value"),
    [
        ({"openblas": "Haswell"}, AVX512, "bad", f"openblas for Haswell, {ON_AVX512}"),
        ({"openblas": "Zen"}, AVX512, "bad", f"openblas for Zen, {ON_AVX512}"),
        ({"openblas": "SkylakeX"}, AVX512, "ok", "openblas for SkylakeX"),
        ({"openblas": "Haswell"}, "flags\t: fpu avx512f", "ok", "openblas for Haswell"),
        ({"openblas": "neoversen1"}, "", "ok", "openblas for neoversen1"),
        ({"blis": "haswell"}, AVX512, "ok", "blis for haswell"),
        ({}, AVX512, "unknown", "cannot be read: threadpoolctl knows no BLAS here that tells its "),
    ],
)
def test_kernels_below_what_the_processor_has_are_found(kernels, flags, state, value, machine):
    """Else products at half the machine's rate would pass for what it can do."""
    here = machine({"proc/cpuinfo": flags})
    found = worker.kernels(_answer(kernels=kernels), here, {})
    assert (found.state, found.value[: len(value)]) == (state, value)
    assert found.advice == "worth a try: OPENBLAS_CORETYPE=SKYLAKEX" * (state == "bad")
    assert worker.kernels(DIED, here).state == "unknown"
    chosen = worker.kernels(_answer(kernels=kernels), here, {"OPENBLAS_CORETYPE": "Haswell"})
    assert chosen.advice == "unset OPENBLAS_CORETYPE=Haswell" * (state == "bad")


def test_the_allocator_is_judged_by_its_faults():
    leaky = _answer(faults=244.0)
    assert worker.allocator(_answer(), "pinned", {}).state == "ok"
    assert "glibc" in worker.allocator(leaky, "pinned", {}).advice
    preload = worker.allocator(leaky, "pinned", {"LD_PRELOAD": "libx.so"})
    assert preload.advice == "unset LD_PRELOAD=libx.so"
    assert worker.allocator(leaky, "system", {}).state == "ok"
    assert worker.allocator(DIED, "pinned", {}).state == "unknown"


def test_the_probe_sees_what_the_allocator_setting_does():
    settings = (Settings.from_env({"BENCH_ALLOCATOR": name}) for name in ("pinned", "system"))
    pinned, system_ = (worker.ask("numpy", 1, each) for each in settings)
    assert pinned["faults"] <= worker.FEW_FAULTS
    assert system_["faults"] > 10 * worker.FEW_FAULTS, "it would not notice an ignored setting"
    assert set(pinned["pools"].values()) == {1}
    assert pinned["kernels"].keys() <= {"openblas", "mkl", "blis", "flexiblas"}
    says = "nothing_known raised ModuleNotFoundError: No module named 'nothing_known'"
    assert worker.ask("nothing_known", 1, Settings()) == says


def test_what_changes_how_libraries_compute_is_listed(machine, monkeypatch):
    monkeypatch.setattr(system, "kernel_choices", lambda _: {})
    assert system.environment(machine({})).state == "ok"
    monkeypatch.setattr(system, "kernel_choices", lambda _: {"NUMBA_DISABLE_JIT": "1", "nice": "5"})
    found = system.environment(machine({}))
    assert (found.state, found.value) == ("bad", "NUMBA_DISABLE_JIT=1, nice=5")


def test_the_cores_of_a_hybrid_processor_are_named(machine):
    assert cpu.cores(machine({})).value == "all alike; workers run on the last one, CPU 1"
    found = cpu.cores(machine({"sys/devices/cpu_core/cpus": "0"}))
    assert found.value == "1 of 2 are performance cores; workers run on the last one, CPU 0"
