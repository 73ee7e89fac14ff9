"""What the machine is and what it is doing: the facts that a result is worthless without, the host's name not among them."""

from __future__ import annotations

import math
import os
import platform
import re
import sys
from datetime import UTC, datetime

import psutil

from bench.machine import devices, git, resources, variables
from bench.machine.resources import Machine
from bench.modules import versions
from bench.schema.records import Load, MachineFacts

PACKAGES = ("numpy", "torch", "pandas", "scipy", "pytest", "pytest-benchmark", "threadpoolctl", "psutil", "rich")

NO_RANDOMIZE = 0x0040000
"""ADDR_NO_RANDOMIZE of <linux/personality.h>."""


def cpu_model(machine: Machine) -> str:
    """The processor's model, with the vendor's numbers where a hypervisor hides it and on ARM, which
    gives no name."""
    text = machine.read("/proc/cpuinfo") or ""
    facts = dict(re.findall(r"^(\S[^\t]*)\t*: (.*)$", text.partition("\n\n")[0], re.M))
    names = map(facts.get, ("model name", "Model Name", "cpu", "uarch"))
    name = next(filter(None, names), platform.processor() or platform.machine())
    if not re.search(r"\d", name) and "cpu family" in facts:
        name += f" family {facts['cpu family']} model {facts['model']}"
    if makers := re.findall(r"^CPU implementer\t*: 0x(\w+)$", text, re.M):
        parts = dict.fromkeys(re.findall(r"^CPU part\t*: 0x(\w+)$", text, re.M))
        name += f" implementer {makers[0]} part {' '.join(parts)}"
    return " ".join(name.replace("(R)", "").replace("(TM)", "").split())


def machine_name(gpu_names: list[str]) -> str:
    """A folder name made of the CPU's and the GPUs' models, such as `amd-epyc-9755`."""
    machine = Machine()
    text = "+".join([f"{cpu_model(machine)} {machine.total_cpus} cpus", *dict.fromkeys(gpu_names)])
    return re.sub(r"[^a-z0-9+]+", "-", text.lower()).strip("-")


def facts() -> MachineFacts:
    """The machine and the software, for a journal's header and `environment.json`."""
    busy, machine = load(), Machine()
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": cpu_model(machine),
        "cpus": machine.total_cpus,
        "cores": resources.cores(machine),
        "cpu_quota": min(filter(math.isfinite, resources.cpu_quotas(machine)), default=None),
        "memory_bytes": psutil.virtual_memory().total,
        "gpus": devices.gpus(),
        "system": f"{platform.system()} {platform.release()}",
        "libc": " ".join(platform.libc_ver()),
        "python": platform.python_version(),
        "python_build": sys.version,
        "packages": versions(PACKAGES),
        "commit": git.commit(),
        "kernel_choices": kernel_choices(machine),
        "load_average": busy["load_average"],
        "steal_seconds": busy["steal_seconds"],
    }


def kernel_choices(machine: Machine) -> dict[str, str]:
    """What workers inherit and what changes how they compute: variables, priority, scheduler, and
    addresses that are not random."""
    policy = os.sched_getscheduler(0)
    policies = {getattr(os, name): name for name in dir(os) if name.startswith("SCHED_")}
    fixed = int(machine.read("/proc/self/personality") or "0", 16) & NO_RANDOMIZE
    everywhere = machine.read("/proc/sys/kernel/randomize_va_space") == "0"
    process = {
        "nice": str(os.getpriority(os.PRIO_PROCESS, 0) or ""),
        "scheduler": policies.get(policy, str(policy)) if policy != os.SCHED_OTHER else "",
        "address_randomization": "off" if fixed or everywhere else "",
    }
    return variables.recorded() | {name: text for name, text in process.items() if text}


def load() -> Load:
    """What else the machine is doing now."""
    return {"load_average": list(os.getloadavg()), "steal_seconds": psutil.cpu_times().steal}
