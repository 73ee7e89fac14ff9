"""What the machine is and does: the facts that a result is worthless without, the host's name not among them.

And the environment variables of workers: what a run sets, removes and records; it keeps all others.
"""

from __future__ import annotations

import atexit
import math
import os
import platform
import re
import site
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import psutil

from bench.machine import devices, git, resources
from bench.machine.resources import Machine
from bench.paths import ROOT
from bench.schema.records import Load, MachineFacts

PACKAGES = ("numpy", "torch", "pandas", "scipy", "pytest", "pytest-benchmark", "threadpoolctl", "psutil", "rich")
NO_RANDOMIZE = 0x0040000  # ADDR_NO_RANDOMIZE of <linux/personality.h>
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "NUMBA_NUM_THREADS")
KEEP_MEMORY = dict.fromkeys(("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"), str(256 * 1024 * 1024))
"""Keeps freed memory in the process, unless a variable says otherwise. Both: one alone ends glibc's dynamic threshold."""
LIBRARY = (
    "AOCL|ARMPL|ATEN|BLIS|CUBLAS|CUDA|CUDNN|CUPY|DNNL|GOMP|GOTO|JAX|KMP|MALLOC|MKL|NCCL|NPY|NUMBA"
    "|NVPL|OMP|ONEDNN|OPENBLAS|PYTORCH|TORCH|TORCHDYNAMO|TORCHINDUCTOR|TRITON|XLA"
)
"""How the variables of numerical libraries begin."""
REMOVED = re.compile(
    # float32 means float32, unless a backend asks for TF32 itself
    "BENCH_.*|NVIDIA_TF32_OVERRIDE|TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"
    # hooks of profilers and debuggers
    "|COVERAGE_.*|COV_CORE_.*|LINE_PROFILE|AUTOWRAPT_.*|PYDEVD_.*|.*_INJECTION(32|64)_PATH"
    "|LD_(AUDIT|DEBUG|PROFILE).*|PYTHON(ASYNCIODEBUG|DEBUG|DEVMODE|DUMP.*|INSPECT|MALLOCSTATS)"
    "|PYTHON(_?PERF.*|PROFILE.*|TRACEMALLOC|VERBOSE|WARNINGS)"
    # what libraries print while they compute
    f"|({LIBRARY})_.*(DISPLAY|DUMP|(?<!TOPO)LOG|PROFIL|TRACE|VERBOSE).*"
)
"""Variables that disturb a step or show it to others."""
RECORDED = re.compile(
    f"({LIBRARY})_.*(?<!_DIR)(?<!_HOME)(?<!_PATH)(?<!_ROOT)(?<!_VERSION)(?<!_DEVICES)(?<!_LIB_OK)"
    "|GLIBC_TUNABLES|LD_BIND_NOW|LD_PRELOAD|PYTHON(MALLOC|OPTIMIZE|_GIL|_JIT)"
)
"""Variables that change how libraries compute, but not those that only say where files lie."""


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
        "packages": devices.versions(PACKAGES),
        "commit": git.commit(),
        "kernel_choices": kernel_choices(machine),
        "load_average": busy["load_average"],
        "steal_seconds": busy["steal_seconds"],
    }


def kernel_choices(machine: Machine) -> dict[str, str]:
    """What workers inherit and what changes how they compute: variables, priority, scheduler, and
    addresses that are not random."""
    policy = os.sched_getscheduler(0)
    policies = {getattr(os, name): name for name in dir(os) if name.startswith("SCHED_")} | {os.SCHED_OTHER: ""}
    fixed = int(machine.read("/proc/self/personality") or "0", 16) & NO_RANDOMIZE
    everywhere = machine.read("/proc/sys/kernel/randomize_va_space") == "0"
    process = {
        "nice": str(os.getpriority(os.PRIO_PROCESS, 0) or ""),
        "scheduler": policies.get(policy, str(policy)),
        "address_randomization": "off" if fixed or everywhere else "",
    }
    return recorded() | {name: text for name, text in process.items() if text}


def load() -> Load:
    """What else the machine is doing now."""
    return {"load_average": list(os.getloadavg()), "steal_seconds": psutil.cpu_times().steal}


def worker_environment(threads: int, environ: Mapping[str, str] = os.environ, folder: Path = ROOT) -> dict[str, str]:
    """`environ` with what the run sets: libraries read thread counts once, on import.

    `folder` holds the `backends` package that workers import; `bench` is always this one.
    """
    kept = {name: value for name, value in environ.items() if not REMOVED.fullmatch(name)}
    env = KEEP_MEMORY | kept | dict.fromkeys(THREADS, str(threads)) | {"OMP_DYNAMIC": "FALSE", "MKL_DYNAMIC": "FALSE"}
    eigen = "true" if threads > 1 else "false"
    env["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={eigen} intra_op_parallelism_threads={threads}"
    env["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    paths = [*dict.fromkeys(map(str, (folder, ROOT))), environ.get("PYTHONPATH")]
    env["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    if not os.access(os.path.expanduser("~"), os.W_OK):  # libraries keep there what they compiled
        env |= {"HOME": _home(), "PYTHONUSERBASE": site.getuserbase()}
    return env


@cache
def _home() -> str:
    """A folder until this process ends, for a user who has none that can be written to."""
    folder = tempfile.TemporaryDirectory(prefix="stepbench-home-")
    atexit.register(folder.cleanup)
    return folder.name


def is_kept(name: str) -> bool:
    """Whether workers get a variable as it is."""
    return worker_environment(1, {name: "kept"}).get(name) == "kept"


def recorded(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The kept variables that change how libraries compute, files without their folders."""
    names = filter(RECORDED.fullmatch, sorted(environ))
    return {name: re.sub(r"[^\s:=,]*/", "", environ[name]) for name in names if is_kept(name)}
