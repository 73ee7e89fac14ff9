"""If these fail, a run records another quota than it was held to, or asks for cores or memory that it cannot have."""

import pytest

from bench.machine import environment, resources

ABOVE = {"proc/self/cgroup": "0::/a/b", "sys/fs/cgroup/a/cpu.max": "150000 100000", "sys/fs/cgroup/a/b/cpu.max": "max 100000"}
FIRST = {
    "proc/self/cgroup": "4:memory:/x\n2:cpu,cpuacct:/a",
    "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
    "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "50000", "sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000",
}  # fmt: skip


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, None),
        ({"sys/fs/cgroup/cpu.max": "max 100000"}, None),
        ({"sys/fs/cgroup/cpu.max": "200000 100000"}, 2.0),
        (ABOVE, 1.5),
        (FIRST, 0.5),
        (ABOVE | {"sys/fs/cgroup/cpu.max": "100000 100000"}, 1.0),
    ],
    ids=["no group", "no limit", "a limit", "on a group above", "version 1", "the least of several"],
)
def test_the_quota_is_the_least_of_all_groups_around(files, quota, machine):
    assert resources.cpu_quota(machine(files)) == quota


def test_the_facts_of_a_run_hold_this_quota(monkeypatch):
    """The weaker of two readers was once the one that was recorded."""
    monkeypatch.setattr(resources, "cpu_quotas", lambda machine: [float("inf"), 1.5])
    assert environment.facts()["cpu_quota"] == 1.5


def test_threads_of_one_core_stand_together(machine):
    siblings = "sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
    assert resources.cores(machine({siblings.format(0): "0-1", siblings.format(1): "0-1"})) == [[0, 1]]
    assert resources.cores(machine({siblings.format(0): "0", siblings.format(1): "1"})) == [[0], [1]]


def test_memory_is_what_the_kernel_and_the_group_leave(machine):
    files = {"proc/meminfo": "MemTotal:       4000 kB\nMemAvailable:    3000 kB"}
    assert resources.available_memory(machine(files)) == 3000 * 1024
    group = {"memory.max": "2000000", "memory.current": "1500000", "memory.stat": "anon 1\ninactive_file 300000"}
    files |= {f"sys/fs/cgroup/{name}": text for name, text in group.items()}
    assert resources.available_memory(machine(files)) == 800_000
    assert resources.available_memory(machine(files | {"sys/fs/cgroup/memory.max": "max"})) == 3000 * 1024
    assert resources.available_memory(machine(files | {"sys/fs/cgroup/memory.max": "1000"})) == 0


def test_here_it_is_what_psutil_says():
    import psutil

    assert resources.available_memory() <= psutil.virtual_memory().total
    assert resources.available_memory() > 0


def test_a_processor_without_a_model_number_gets_the_vendors(machine):
    text = "model name\t: AMD EPYC\ncpu family\t: 25\nmodel\t\t: 1\n\nmodel name\t: another"
    assert environment.cpu_model(machine({"proc/cpuinfo": text})) == "AMD EPYC family 25 model 1"
    assert environment.cpu_model(machine({"proc/cpuinfo": "model name\t: Intel(R) Xeon(R) 6 CPU"})) == "Intel Xeon 6 CPU"
