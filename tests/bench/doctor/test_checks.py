"""If these fail, a bad instrument passes for a good one, or a check that could not be made passes in silence."""

from types import SimpleNamespace

import pytest

from bench.doctor import clock, cpu, system, worker
from bench.machine.counters import FORBIDDEN
from bench.machine.files import Machine
from tests.support import CPU, GOOD_MACHINE

SOURCES = "sys/devices/system/clocksource/clocksource0"
PAGES = "sys/kernel/mm/transparent_hugepage/enabled"
QUIET = system.Sample(0.5, {"user": 0.01, "nice": 0.0, "system": 0.01, "idle": 0.98, "steal": 0.0}, swapped=0)
FILE_CHECKS = (
    system.load, system.quota, system.huge_pages, cpu.governor, cpu.boost, cpu.throttling, cpu.smt, cpu.hypervisor, clock.source
)  # fmt: skip


@pytest.mark.parametrize("check", FILE_CHECKS, ids=lambda check: check.__name__)
def test_a_good_machine_passes_and_one_that_tells_nothing_is_unknown(check, machine, tmp_path):
    nothing = check(machine({}))
    assert (nothing.state, nothing.value[:16]) == ("unknown", "cannot be read: "), nothing
    assert check(machine(GOOD_MACHINE)).state == "ok"


@pytest.mark.parametrize(
    ("check", "path", "text", "value", "advice"),
    [
        (system.load, "proc/loadavg", "1.50 1 1 1/80 999", "1.50 on 2 CPUs", "see `top` for what else runs"),
        (system.quota, "sys/fs/cgroup/cpu.max", "150000 100000", "1.5 CPUs for the 2 that", "--cpuset-cpus"),
        (system.huge_pages, PAGES, "[always] madvise never", "always: which", f"echo madvise | sudo tee /{PAGES}"),
        (cpu.governor, f"{CPU}/cpu1/cpufreq/scaling_governor", "powersave", "powersave on 1 of 2 CPUs", "cpupower"),
        (cpu.boost, f"{CPU}/cpufreq/boost", "1", "on: the clock", f"echo 0 | sudo tee /{CPU}/cpufreq/boost"),
        (cpu.boost, f"{CPU}/intel_pstate/no_turbo", "0", "on: the clock", f"echo 1 | sudo tee /{CPU}/intel_pstate/no_turbo"),
        (cpu.throttling, f"{CPU}/cpu1/thermal_throttle/core_throttle_count", "7", "up to 7 times", "cool it better"),
        (cpu.throttling, f"{CPU}/cpu0/thermal_throttle/package_power_limit_count", "3", "up to 3 times", "cool it better"),
        (cpu.smt, f"{CPU}/cpu0/topology/thread_siblings_list", "0,32", "1 of 2 cores", "echo off | sudo tee"),
        (cpu.hypervisor, "proc/cpuinfo", "flags\t: fpu hypervisor", "a virtual machine", "within a run"),
        (cpu.hypervisor, "sys/hypervisor/type", "xen", "a virtual machine", "within a run"),
        (clock.source, f"{SOURCES}/current_clocksource", "hpet", "hpet", "`dmesg | grep -i tsc`"),
    ],
)  # fmt: skip
def test_each_bad_file_is_found_with_its_advice(check, path, text, value, advice, machine):
    found = check(machine(GOOD_MACHINE | {path: text}))
    assert found.state == "bad"
    assert found.value.startswith(value)
    assert advice in found.advice


def test_a_better_clock_source_is_named_where_there_is_one(machine):
    files = {f"{SOURCES}/current_clocksource": "hpet", f"{SOURCES}/available_clocksource": "hpet tsc acpi_pm"}
    assert clock.source(machine(files)).advice == f"echo tsc | sudo tee /{SOURCES}/current_clocksource"


@pytest.mark.parametrize(
    "files",
    [
        {"proc/self/cgroup": "0::/a/b", "sys/fs/cgroup/a/cpu.max": "100000 100000", "sys/fs/cgroup/a/b/cpu.max": "max 100000"},
        {
            "proc/self/cgroup": "4:memory:/x\n2:cpu,cpuacct:/a\n0::/",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "100000", "sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000",
        },
    ],
    ids=["version 2, on a group above", "version 1"],
)  # fmt: skip
def test_a_quota_is_found_in_both_versions_of_control_groups(files, machine):
    assert system.quota(machine(files)).value.startswith("1 CPUs for the 2 that may be used")


def test_the_root_of_control_groups_has_no_quota_to_show(machine):
    assert system.quota(machine({"sys/fs/cgroup/cgroup.controllers": "cpu memory"})).state == "ok"


def test_what_others_do_while_we_sleep(machine):
    here = machine({"proc/meminfo": "MemTotal: 8 kB\nSwapTotal:  2000000 kB\nSwapFree:  1000000 kB"})
    busy = system.Sample(0.5, {**QUIET.cpu, "user": 0.4, "steal": 0.05}, swapped=12)
    assert system.neighbours(here, QUIET).state == "ok"
    assert system.steal(here, QUIET).state == "ok"
    assert system.memory(here, QUIET, available=2**33).value == "8.6 GB available, 1.0 GB in swap"
    assert system.memory(here, QUIET, available=2**33).state == "ok"
    assert system.neighbours(here, busy).value == "0.82 of 2 CPUs busy while this process slept"
    assert "dedicated host" in system.steal(here, busy).advice
    assert "12 pages swapped" in system.memory(here, busy, available=2**33).value
    assert system.memory(here, QUIET, available=2**28).advice == "free memory until 1.1 GB are available"
    assert [system.neighbours(here, busy).state, system.steal(here, busy).state] == ["bad", "bad"]


def test_a_kernel_that_counts_no_steal_and_no_swap_is_unknown(tmp_path):
    here = Machine(root=tmp_path)
    blind = system.Sample(0.5, {"user": 0.0, "system": 0.0}, swapped=0)
    assert system.steal(here, blind).state == "unknown"
    assert system.memory(here, blind, available=2**33).state == "unknown"


def test_a_sample_is_the_difference_over_its_time(machine):
    readings = iter([{"user": 1.0}, {"user": 1.5}])
    times = lambda: SimpleNamespace(_asdict=lambda: next(readings))  # noqa: E731
    sample = system.Sample.take(machine({"proc/vmstat": "pswpin 3\npswpout 4"}), seconds=0.01, times=times)
    assert (sample.cpu, sample.swapped) == ({"user": 0.5}, 0)
    assert sample.seconds >= 0.01


def test_counters_are_no_fault_of_a_machine():
    assert cpu.counters({}).state == "ok"
    lacking = cpu.counters({"cycles": "no counter", "instructions": "no counter", "misses": "not so many"})
    assert (lacking.state, lacking.value) == (
        "unknown", "cannot be read: cycles, instructions: no counter; misses: not so many",
    )  # fmt: skip
    assert "perf_event_paranoid" not in lacking.advice
    assert "perf_event_paranoid" in cpu.counters({"cycles": FORBIDDEN}).advice


def test_the_clock():
    assert clock.reading(1e-9, 50e-9).value == "resolution 1.00 ns, 50.0 ns a reading"
    assert clock.reading(1e-9, 50e-9).state == "ok"
    assert clock.reading(1e-9, 2e-6).state == clock.reading(1e-3, 50e-9).state == "bad"
    resolution, cost = clock.measured(readings=11)
    assert 0 < resolution < 1
    assert 0 < cost < 1


def _answer(faults=0.0, cpus_used=1.0, kernels=(), **pools):
    return {"faults": faults, "cpus_used": cpus_used, "pools": pools, "kernels": dict(kernels)}


@pytest.mark.parametrize(
    ("answer", "state", "value"),
    [
        (_answer(openblas=1), "ok", "1 as asked for (openblas)"),
        (_answer(), "bad", "threadpoolctl sees no BLAS pool"),
        (_answer(openmp=1), "bad", "threadpoolctl sees no BLAS pool"),
        (_answer(openblas=1, openmp=2), "bad", "openmp uses 2, asked for 1"),
        (_answer(openblas=1, cpus_used=1.9), "bad", "1.9 CPUs busy with 1 asked for, whatever openblas says"),
        ("numpy: it died", "unknown", "cannot be read: numpy: it died"),
    ],
)
def test_threads_are_judged_by_pools_and_by_cpu_time(answer, state, value):
    found = worker.threads("numpy", answer, 1)
    assert (found.state, bool(found.advice)) == (state, state == "bad")
    assert found.value.startswith(value)


AVX512 = {"proc/cpuinfo": "flags\t: fpu avx512f avx512bw avx512dq avx512vl"}
AVX512F_ALONE = {"proc/cpuinfo": "flags\t: fpu avx512f"}


@pytest.mark.parametrize(
    ("kernels", "files", "state", "value"),
    [
        ({"openblas": "Haswell"}, AVX512, "bad", "openblas for Haswell, on a processor with AVX-512"),
        ({"openblas": "Zen"}, AVX512, "bad", "openblas for Zen, on a processor with AVX-512"),
        ({"openblas": "SkylakeX"}, AVX512, "ok", "openblas for SkylakeX"),
        ({"openblas": "Haswell"}, AVX512F_ALONE, "ok", "openblas for Haswell"),
        ({"openblas": "neoversen1"}, {}, "ok", "openblas for neoversen1"),
        ({"blis": "haswell"}, AVX512, "ok", "blis for haswell"),
        ({}, AVX512, "unknown", "cannot be read: threadpoolctl knows no BLAS here that tells its kernels"),
    ],
)
def test_kernels_below_what_the_processor_has_are_found(kernels, files, state, value, machine):
    """Products at half the machine's rate would be taken for what the machine can do."""
    found = worker.kernels(_answer(kernels=kernels), machine(files), {})
    assert (found.state, found.value) == (state, value)
    assert found.advice == ("worth a try: OPENBLAS_CORETYPE=SKYLAKEX" if state == "bad" else "")
    assert worker.kernels("numpy: it died", machine(files)).state == "unknown"


def test_a_variable_that_chooses_old_kernels_is_named(machine):
    """Else its owner would look for the fault in OpenBLAS."""
    answer = _answer(kernels={"openblas": "Haswell"})
    assert worker.kernels(answer, machine(AVX512), {"OPENBLAS_CORETYPE": "Haswell"}).advice == "unset OPENBLAS_CORETYPE=Haswell"


def test_the_allocator_is_judged_by_its_faults():
    leaky = _answer(faults=244.0)
    assert worker.allocator(_answer(), "pinned", {}).state == "ok"
    assert "glibc" in worker.allocator(leaky, "pinned", {}).advice
    assert worker.allocator(leaky, "pinned", {"LD_PRELOAD": "libx.so"}).advice == "unset LD_PRELOAD=libx.so"
    assert worker.allocator(leaky, "system", {}).state == "ok"
    assert worker.allocator("numpy: it died", "pinned", {}).state == "unknown"


def test_the_probe_sees_what_the_allocator_setting_does():
    pinned, system_ = worker.ask("numpy", 1, "pinned"), worker.ask("numpy", 1, "system")
    assert pinned["faults"] <= worker.FEW_FAULTS
    assert system_["faults"] > 10 * worker.FEW_FAULTS, "the probe would not notice an allocator that ignores its setting"
    assert set(pinned["pools"].values()) == {1}
    assert pinned["kernels"].keys() <= {"openblas", "mkl", "blis", "flexiblas"}, "kernels are listed by their library"
    assert worker.ask("no_such_library", 1, "pinned") == (
        "no_such_library: ModuleNotFoundError: No module named 'no_such_library'"
    )
