"""The environment variables with which a worker starts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from bench.paths import ROOT

KEEP_MEMORY = str(256 * 1024 * 1024)
THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
TF32 = ("NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE")
ALLOCATOR = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")


def worker_environment(
    threads: int,
    allocator: str,
    environ: Mapping[str, str] = os.environ,
    folder: Path = ROOT,
) -> dict[str, str]:
    """`environ` with what the run sets: libraries read thread counts once, on import.

    `folder` holds the `backends` package that workers import; `bench` is always this one.
    """
    count = str(threads)
    env = {name: value for name, value in environ.items() if not name.startswith("BENCH_")}
    env |= dict.fromkeys(THREADS, count)
    env |= {"OMP_DYNAMIC": "FALSE", "MKL_DYNAMIC": "FALSE"}
    for name in (*TF32, *ALLOCATOR):
        env.pop(name, None)  # float32 means float32, unless a backend asks for TF32 itself
    eigen = "true" if threads > 1 else "false"
    env["XLA_FLAGS"] = (
        f"--xla_cpu_multi_thread_eigen={eigen} intra_op_parallelism_threads={count}"
    )
    env["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    paths = [*dict.fromkeys(map(str, (folder, ROOT))), environ.get("PYTHONPATH")]
    env["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    if allocator == "pinned":  # both: setting one alone switches off glibc's dynamic threshold
        env |= dict.fromkeys(ALLOCATOR, KEEP_MEMORY)
    return env
