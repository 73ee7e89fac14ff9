"""What the machine is and what it is doing: the facts that a result is worthless without.

It must never contain the host's name, and never change anything.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from bench.paths import ROOT
from bench.schema.records import MachineFacts

PACKAGES = ("numpy", "torch", "pandas", "scipy", "pytest", "pytest-benchmark", "threadpoolctl", "psutil", "rich")

KERNEL_CHOICES = (
    "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "MKL_ENABLE_INSTRUCTIONS", "ONEDNN_MAX_CPU_ISA", "NPY_DISABLE_CPU_FEATURES",
    "NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES",
)  # fmt: skip
"""Variables that tell a library which kernels to use. Workers inherit them, so a result cannot be read without them."""


def cores() -> list[list[int]]:
    """The CPUs this process may use, in ascending order, grouped by the physical core that they share."""
    shared: dict[str, list[int]] = {}
    for cpu in sorted(os.sched_getaffinity(0)):
        siblings = _read(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list") or str(cpu)
        shared.setdefault(siblings, []).append(cpu)
    return list(shared.values())


def available_memory() -> int:
    """Bytes that can be had without swapping, the control group's limit included."""
    available = psutil.virtual_memory().available
    limit = _read("/sys/fs/cgroup/memory.max")
    if limit and limit.isdecimal():
        cache = re.search(r"^inactive_file (\d+)$", _read("/sys/fs/cgroup/memory.stat") or "", re.M)
        used = int(_read("/sys/fs/cgroup/memory.current") or 0) - int(cache[1] if cache else 0)
        available = min(available, max(int(limit) - used, 0))
    return int(available)


def cpu_quota() -> float | None:
    """CPUs that the control group grants, None where it sets no limit."""
    quota, _, period = (_read("/sys/fs/cgroup/cpu.max") or "max").partition(" ")
    return None if quota == "max" else int(quota) / int(period)


def cpu_model() -> str:
    """The processor's model; where a hypervisor hides it, the vendor's family and model numbers are added."""
    facts = dict(re.findall(r"^(\S[^\t]*)\t*: (.*)$", (_read("/proc/cpuinfo") or "").partition("\n\n")[0], re.M))
    name = facts.get("model name") or platform.processor() or platform.machine()
    if not re.search(r"\d", name) and "cpu family" in facts:
        name += f" family {facts['cpu family']} model {facts['model']}"
    return " ".join(name.replace("(R)", "").replace("(TM)", "").split())


def gpus() -> list[dict[str, Any]]:
    """NVIDIA GPUs with their clocks (Hz) and throttle reasons now; empty without nvidia-ml-py or a driver."""
    try:
        import pynvml
    except ModuleNotFoundError:
        return []
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    questions = {
        "name": pynvml.nvmlDeviceGetName,
        "driver": lambda _: pynvml.nvmlSystemGetDriverVersion(),
        "sm_clock_hz": lambda gpu: pynvml.nvmlDeviceGetClockInfo(gpu, pynvml.NVML_CLOCK_SM) * 1_000_000,
        "memory_clock_hz": lambda gpu: pynvml.nvmlDeviceGetClockInfo(gpu, pynvml.NVML_CLOCK_MEM) * 1_000_000,
        "throttle_reasons": pynvml.nvmlDeviceGetCurrentClocksThrottleReasons,
    }
    found: list[dict[str, Any]] = []
    try:
        for index in range(pynvml.nvmlDeviceGetCount()):
            found.append({"name": "gpu"})
            gpu = pynvml.nvmlDeviceGetHandleByIndex(index)
            for name, question in questions.items():
                with suppress(pynvml.NVMLError):  # not every GPU answers every question
                    found[-1][name] = question(gpu)
    except pynvml.NVMLError:
        pass
    finally:
        pynvml.nvmlShutdown()
    return found


def machine_name(gpu_names: list[str]) -> str:
    """A folder name made of the CPU's and the GPUs' models, such as `amd-epyc-9755`."""
    text = "+".join([f"{cpu_model()} {os.cpu_count()} cpus", *dict.fromkeys(gpu_names)])
    return re.sub(r"[^a-z0-9+]+", "-", text.lower()).strip("-")


def facts() -> MachineFacts:
    """The machine and the software, for a journal's header and `environment.json`."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": cpu_model(),
        "cpus": os.cpu_count(),
        "cores": cores(),
        "cpu_quota": cpu_quota(),
        "memory_bytes": psutil.virtual_memory().total,
        "gpus": gpus(),
        "system": f"{platform.system()} {platform.release()}",
        "libc": " ".join(platform.libc_ver()),
        "python": platform.python_version(),
        "python_build": sys.version,
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "commit": commit(),
        "kernel_choices": {name: os.environ[name] for name in KERNEL_CHOICES if name in os.environ},
        **load(),
    }


def load() -> dict[str, Any]:
    """What else the machine is doing now."""
    steal = getattr(psutil.cpu_times(), "steal", 0.0)
    return {"load_average": list(os.getloadavg()), "steal_seconds": steal}


def commit() -> str | None:
    """The commit of the checkout this code stands in, marked `+dirty` if files differ from it."""
    git = ["git", "-C", str(ROOT)]
    try:
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        changes = subprocess.run([*git, "status", "--porcelain", "--", "backends", "bench"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip() + ("+dirty" if changes.stdout.strip() else "")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return None
