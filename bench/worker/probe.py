"""What memory, threads and BLAS do in a worker that has computed nothing else: for `bench.doctor`."""

from __future__ import annotations

import importlib
import resource
import time
from typing import Any

import numpy as np
import threadpoolctl

from bench.worker import isolation

ARRAYS, ROUNDS, BYTES = 8, 20, 1_000_000


def faults_per_array() -> float:
    """Minor page faults per array of 1 MB, eight at a time filled and freed again, after the first round."""
    _fill()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(ROUNDS):
        _fill()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / (ARRAYS * ROUNDS)


def cpus_used(matrix: Any, seconds: float = 0.1) -> float:
    """CPU seconds per second that products of a square matrix take, whatever threads their library admits to."""
    matrix @ matrix  # starts the pool
    start, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() - start < seconds:
        matrix @ matrix
    return (time.process_time() - cpu) / (time.perf_counter() - start)


def _fill() -> None:
    arrays = [np.empty(BYTES, np.uint8) for _ in range(ARRAYS)]  # together they outgrow glibc's own trim threshold
    for array in arrays:
        array.fill(1)


def probe(library: str) -> dict[str, Any]:
    """Page faults per reused array, CPUs that a library's products use, its pools and kernels."""
    faults = faults_per_array()
    used = cpus_used(importlib.import_module(library).ones((512, 512)))
    pools = threadpoolctl.threadpool_info()
    kernels = {pool["internal_api"]: pool["architecture"] for pool in pools if pool.get("architecture")}
    return {"faults": faults, "cpus_used": used, "pools": isolation.thread_counts(), "kernels": kernels}
