"""The environment variables of workers: what a run sets, removes and records; it keeps all others."""

from __future__ import annotations

import atexit
import os
import re
import site
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from bench.paths import ROOT

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
