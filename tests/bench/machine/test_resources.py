"""If these fail, a run records another quota than it has, or asks for more than there is."""

import math
import platform
import resource
from types import SimpleNamespace

import psutil
import pytest

from bench.machine import environment, resources
from tests.support import CPU

MACHINE = platform.processor() or platform.machine()
GROUPS, CPUACCT = "sys/fs/cgroup", "sys/fs/cgroup/cpu"
ABOVE = {
    "proc/self/cgroup": "0::/a/b",
    f"{GROUPS}/a/cpu.max": "150000 100000",
    f"{GROUPS}/a/b/cpu.max": "max 100000",
}
FIRST = {
    "proc/self/cgroup": "4:memory:/x\n2:cpu,cpuacct:/a",
    f"{CPUACCT}/cpu.cfs_quota_us": "-1",
    f"{CPUACCT}/cpu.cfs_period_us": "100000",
    f"{CPUACCT}/a/cpu.cfs_quota_us": "50000",
    f"{CPUACCT}/a/cpu.cfs_period_us": "100000",
}


@pytest.mark.parametrize(
    ("files", "quotas"),
    [
        ({}, []),
        ({f"{GROUPS}/cpu.max": "max 100000"}, [math.inf]),
        ({f"{GROUPS}/cpu.max": "200000 100000"}, [2.0]),
        (ABOVE, [math.inf, 1.5]),
        (FIRST, [0.5, math.inf]),
    ],
    ids=["no group", "no limit", "a limit", "on a group above", "version 1"],
)
def test_the_quotas_are_those_of_all_groups_around(files, quotas, machine):
    assert resources.cpu_quotas(machine(files)) == quotas


def test_the_facts_of_a_run_hold_the_least_quota(monkeypatch):
    for quotas, least in (([math.inf], None), ([math.inf, 1.5, 2.0], 1.5)):
        monkeypatch.setattr(resources, "cpu_quotas", lambda machine, quotas=quotas: quotas)
        assert environment.facts()["cpu_quota"] == least


@pytest.mark.parametrize(("siblings", "cores"), [("0-1 0-1", [[0, 1]]), ("0 1", [[0], [1]])])
def test_threads_of_one_core_stand_together(siblings, cores, machine):
    path = "sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
    files = {path.format(number): text for number, text in enumerate(siblings.split())}
    assert resources.cores(machine(files)) == cores


def _group(folder, most, version=2):
    limit, usage, cache = resources.MEMORY[version]
    files = {f"memory.{limit}": most, f"memory.{usage}": "1500000", "memory.stat": f"anon 1\n{cache} 300000"}
    return {f"{GROUPS}/{folder}/{name}": text for name, text in files.items()}


V1_ROOT = {f"{GROUPS}/memory/memory.limit_in_bytes": "9223372036854771712"}


@pytest.mark.parametrize(
    ("files", "available"),
    [
        ({}, 3000 * 1024),
        (_group(".", "2000000"), 800_000),
        (_group(".", "max"), 3000 * 1024),
        (_group(".", "1000"), 0),
        ({"proc/self/cgroup": "0::/a/b"} | _group("a", "2000000") | _group("a/b", "max"), 800_000),
        ({"proc/self/cgroup": "4:memory:/x\n2:cpu,cpuacct:/a"} | _group("memory/x", "2000000", 1) | V1_ROOT, 800_000),
    ],
    ids=["no group", "a limit", "no limit", "too much in use", "on a group above", "version 1"],
)
def test_memory_is_what_the_kernel_and_the_groups_around_leave(files, available, machine, monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=3000 * 1024))
    assert resources.available_memory(machine(files)) == available


@pytest.mark.parametrize("kind", [resource.RLIMIT_DATA, resource.RLIMIT_AS])
def test_no_more_memory_is_available_than_ulimit_allows(kind, monkeypatch):
    """Else every worker would fail to raise its limit."""
    limits = {kind: (1000, 2000)}
    monkeypatch.setattr(resource, "getrlimit", lambda asked: limits.get(asked, (-1, -1)))
    assert resources.available_memory() == 1000


@pytest.mark.parametrize(
    "files",
    [
        {"sys/devices/cpu_core/cpus": "0", "sys/devices/cpu_atom/cpus": "1"},
        {f"{CPU}/cpu0/cpu_capacity": "1024", f"{CPU}/cpu1/cpu_capacity": "446"},
    ],
    ids=["Intel", "ARM"],
)
def test_the_performance_cores_of_a_hybrid_processor_come_last(files, machine):
    """Where workers run."""
    assert resources.cores(machine(files)) == [[1], [0]]


ARM = "CPU implementer\t: 0x41\nCPU part\t: 0x{}\n\nCPU implementer\t: 0x41\nCPU part\t: 0x{}"


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("model name\t: AMD EPYC\ncpu family\t: 25\nmodel\t\t: 1\n\nmodel name\t: another", "AMD EPYC family 25 model 1"),
        ("model name\t: Intel(R) Xeon(R) 6 CPU", "Intel Xeon 6 CPU"),
        (ARM.format("d0c", "d0c"), f"{MACHINE} implementer 41 part d0c"),
        (ARM.format("d05", "d0b"), f"{MACHINE} implementer 41 part d05 d0b"),
        ("cpu\t\t: POWER9, altivec supported", "POWER9, altivec supported"),
        ("Model Name\t\t: Loongson-3A5000", "Loongson-3A5000"),
        ("isa\t\t: rv64imafdc\nuarch\t\t: sifive,u74-mc", "sifive,u74-mc"),
    ],
)
def test_a_processor_without_a_model_number_gets_the_vendors(text, model, machine):
    assert environment.cpu_model(machine({"proc/cpuinfo": text})) == model
