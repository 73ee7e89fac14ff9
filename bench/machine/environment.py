"""What the machine is and what it is doing: the facts that a result is worthless without, the host's name not among them."""

from __future__ import annotations

import os
import platform
import re
import sys
from datetime import UTC, datetime
from importlib import metadata

import psutil

from bench.machine import git, gpu, resources
from bench.machine.files import Machine
from bench.schema.records import Load, MachineFacts

PACKAGES = ("numpy", "torch", "pandas", "scipy", "pytest", "pytest-benchmark", "threadpoolctl", "psutil", "rich")

KERNEL_CHOICES = (
    "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR", "ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY",
    "NPY_DISABLE_CPU_FEATURES", "NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES",
)  # fmt: skip
"""Variables that tell a library which kernels to use. Workers inherit them, so a result cannot be read without them."""


def cpu_model(machine: Machine | None = None) -> str:
    """The processor's model; where a hypervisor hides it, the vendor's family and model numbers are added."""
    text = (machine or Machine()).read("/proc/cpuinfo") or ""
    facts = dict(re.findall(r"^(\S[^\t]*)\t*: (.*)$", text.partition("\n\n")[0], re.M))
    name = facts.get("model name") or platform.processor() or platform.machine()
    if not re.search(r"\d", name) and "cpu family" in facts:
        name += f" family {facts['cpu family']} model {facts['model']}"
    return " ".join(name.replace("(R)", "").replace("(TM)", "").split())


def machine_name(gpu_names: list[str]) -> str:
    """A folder name made of the CPU's and the GPUs' models, such as `amd-epyc-9755`."""
    text = "+".join([f"{cpu_model()} {os.cpu_count()} cpus", *dict.fromkeys(gpu_names)])
    return re.sub(r"[^a-z0-9+]+", "-", text.lower()).strip("-")


def facts() -> MachineFacts:
    """The machine and the software, for a journal's header and `environment.json`."""
    busy = load()
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": cpu_model(),
        "cpus": os.cpu_count() or 1,
        "cores": resources.cores(),
        "cpu_quota": resources.cpu_quota(),
        "memory_bytes": psutil.virtual_memory().total,
        "gpus": gpu.gpus(),
        "system": f"{platform.system()} {platform.release()}",
        "libc": " ".join(platform.libc_ver()),
        "python": platform.python_version(),
        "python_build": sys.version,
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "commit": git.commit(),
        "kernel_choices": {name: os.environ[name] for name in KERNEL_CHOICES if name in os.environ},
        "load_average": busy["load_average"],
        "steal_seconds": busy["steal_seconds"],
    }


def load() -> Load:
    """What else the machine is doing now."""
    steal = getattr(psutil.cpu_times(), "steal", 0.0)
    return {"load_average": list(os.getloadavg()), "steal_seconds": steal}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
