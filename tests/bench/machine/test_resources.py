"""If these fail, a run records another quota than it has, or asks for more than there is."""

import math
import platform
import resource

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


@pytest.mark.parametrize(("quotas", "least"), [([], None), ([math.inf], None), ([math.inf, 1.5, 2.0], 1.5)])
def test_the_facts_of_a_run_hold_the_least_quota(quotas, least, monkeypatch):
    monkeypatch.setattr(resources, "cpu_quotas", lambda machine: quotas)
    assert environment.facts()["cpu_quota"] == least


@pytest.mark.parametrize(("siblings", "cores"), [("0-1 0-1", [[0, 1]]), ("0 1", [[0], [1]])])
def test_threads_of_one_core_stand_together(siblings, cores, machine):
    path = "sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
    files = {path.format(number): text for number, text in enumerate(siblings.split())}
    assert resources.cores(machine(files)) == cores


@pytest.mark.parametrize(
    ("most", "available"),
    [(None, 3000 * 1024), ("2000000", 800_000), ("max", 3000 * 1024), ("1000", 0)],
)
def test_memory_is_what_the_kernel_and_the_group_leave(most, available, machine):
    files = {"proc/meminfo": "MemTotal:       4000 kB\nMemAvailable:    3000 kB"}
    if most:
        stat = "anon 1\ninactive_file 300000"
        group = {"memory.max": most, "memory.current": "1500000", "memory.stat": stat}
        files |= {f"{GROUPS}/{name}": text for name, text in group.items()}
    assert resources.available_memory(machine(files)) == available


NESTED = {
    "proc/self/cgroup": "0::/a/b",
    f"{GROUPS}/a/memory.max": "2000000",
    f"{GROUPS}/a/memory.current": "1500000",
    f"{GROUPS}/a/memory.stat": "inactive_file 300000",
    f"{GROUPS}/a/b/memory.max": "max",
}
V1_MEMORY = {
    "proc/self/cgroup": "4:memory:/x\n2:cpu,cpuacct:/a",
    f"{GROUPS}/memory/x/memory.limit_in_bytes": "2000000",
    f"{GROUPS}/memory/x/memory.usage_in_bytes": "1500000",
    f"{GROUPS}/memory/x/memory.stat": "inactive_file 1\ntotal_inactive_file 300000",
    f"{GROUPS}/memory/memory.limit_in_bytes": "9223372036854771712",
}


@pytest.mark.parametrize("files", [NESTED, V1_MEMORY], ids=["on a group above", "version 1"])
def test_a_memory_limit_is_seen_on_every_group_around(files, machine):
    assert resources.available_memory(machine({"proc/meminfo": "MemAvailable: 3000 kB", **files})) == 800_000


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


def test_here_it_is_at_most_what_psutil_says():
    assert 0 < resources.available_memory() <= psutil.virtual_memory().total


@pytest.mark.parametrize(
    ("text", "model"),
    [
        (
            "model name\t: AMD EPYC\ncpu family\t: 25\nmodel\t\t: 1\n\nmodel name\t: another",
            "AMD EPYC family 25 model 1",
        ),
        ("model name\t: Intel(R) Xeon(R) 6 CPU", "Intel Xeon 6 CPU"),
        (
            "CPU implementer\t: 0x41\nCPU part\t: 0xd0c\n\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c",
            f"{MACHINE} implementer 41 part d0c",
        ),
        (
            "CPU implementer\t: 0x41\nCPU part\t: 0xd05\n\nCPU implementer\t: 0x41\nCPU part\t: 0xd0b",
            f"{MACHINE} implementer 41 part d05 d0b",
        ),
        ("cpu\t\t: POWER9, altivec supported", "POWER9, altivec supported"),
    ],
)
def test_a_processor_without_a_model_number_gets_the_vendors(text, model, machine):
    assert environment.cpu_model(machine({"proc/cpuinfo": text})) == model
