"""Do allocator and threads in a worker follow what it was started with, and its BLAS the processor? Tried in one like it.

What counts is what a process does, not what is set.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from bench.doctor import cpu
from bench.doctor.finding import Finding, bad, ok, unknown
from bench.machine.files import Machine
from bench.measure.executor import worker_launch
from bench.measure.process import Failed, Process
from bench.plan.sides import Side
from bench.settings import Settings

FEW_FAULTS = 0.1
"""Page faults per freed and reused array of 1 MB: 0 where memory is kept, 244 where it comes from the kernel anew."""
AVX512 = {"avx512f", "avx512bw", "avx512dq", "avx512vl"}
"""What OpenBLAS's kernels for AVX-512 need of a processor, as the kernel names it."""
AVX512_KERNELS = ("skylakex", "cooperlake", "sapphirerapids")
Answer = dict[str, Any] | str


def ask(library: str, threads: int, settings: Settings) -> Answer:
    """What a worker saw of a library (`bench.worker.probe`), or why it saw nothing."""
    try:
        with Process(worker_launch(settings, Side(), threads), settings.timeout) as worker:
            return worker.ask("probe", library=library)
    except Failed as failed:
        return f"{library} {failed}"


def allocator(answer: Answer, wanted: str, environ: Mapping[str, str] = os.environ) -> Finding:
    what = "allocator"
    if isinstance(answer, str):
        return unknown(what, answer)
    value = f"{answer['faults']:.1f} page faults per reused array of 1 MB"
    if wanted == "system":
        return ok(what, f"{value}, as BENCH_ALLOCATOR=system has it")
    if answer["faults"] > FEW_FAULTS:
        preload = environ.get("LD_PRELOAD")
        advice = f"unset LD_PRELOAD={preload}" if preload else "use a Python on glibc: others ignore MALLOC_TRIM_THRESHOLD_"
        return bad(what, f"{value}: freed memory is not kept", advice)
    return ok(what, value)


def threads(library: str, answer: Answer, asked: int) -> Finding:
    what = f"threads, {library}"
    if isinstance(answer, str):
        return unknown(what, answer)
    pools: dict[str, int] = answer["pools"]
    names = ", ".join(sorted({name.split(" ")[0] for name in pools}))
    if all(name.startswith("openmp") for name in pools):
        value = "threadpoolctl sees no BLAS pool, so its threads can be neither set nor proven"
        return bad(what, value, "install a build with OpenBLAS, MKL or BLIS, such as PyPI's")
    if wrong := [f"{name} uses {count}" for name, count in pools.items() if count != asked]:
        return bad(what, f"{', '.join(wrong)}, asked for {asked}", "set BENCH_THREADS to what the libraries and CPUs allow")
    if answer["cpus_used"] > asked + 0.5:
        value = f"{answer['cpus_used']:.1f} CPUs busy with {asked} asked for, whatever {names} says"
        return bad(what, value, "install a build that obeys OMP_NUM_THREADS, such as PyPI's")
    return ok(what, f"{asked} as asked for ({names})")


def kernels(answer: Answer, machine: Machine, environ: Mapping[str, str] = os.environ) -> Finding:
    """Whether OpenBLAS computes as if the processor could do less, by its own choice or because a variable says so."""
    what = "kernels, numpy"
    if isinstance(answer, str):
        return unknown(what, answer)
    chosen: dict[str, str] = answer["kernels"]
    if not chosen:
        return unknown(what, "threadpoolctl knows no BLAS here that tells its kernels")
    value = ", ".join(f"{library} for {architecture}" for library, architecture in sorted(chosen.items()))
    below = chosen.get("openblas", AVX512_KERNELS[0]).lower() not in AVX512_KERNELS
    if below and cpu.features(machine) >= AVX512:
        variable = environ.get("OPENBLAS_CORETYPE")
        advice = f"unset OPENBLAS_CORETYPE={variable}" if variable else "worth a try: OPENBLAS_CORETYPE=SKYLAKEX"
        return bad(what, f"{value}, on a processor with AVX-512", advice)
    return ok(what, value)
