"""What several tests share: a clean environment, proving a step, a good machine, and reading our CSV files."""

import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from tests.made import a_header, key_of, story  # noqa: F401


def read_csv(path) -> pd.DataFrame:
    return pd.read_csv(path, keep_default_na=False, na_values="")  # a backend is called null


ROOT = Path(__file__).parent.parent
LIGHT = {"PYTHONPATH": os.pathsep.join(map(str, (ROOT / "tests" / "light", ROOT)))}
"""Only NumPy, which loads in no time: for what is about no library."""
EVERYTHING = {"PYTHONPATH": str(ROOT)}


def clean_environ() -> dict[str, str]:
    """The environment without any setting of ours or of a surrounding pytest."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("BENCH_", "PYTEST_"))}


def prove(build, device, dtype, shape, seed, elsewhere=None):
    """What judge and worker do to prove a step, both in this process; the worst errors. Raises `Wrong`."""
    from bench.judge.questions import SHAPES, Proof, Turns
    from bench.measure.rounds import worst
    from bench.schema.case import Shape
    from bench.worker import gate

    every, nonce, errors = build.steps_per_call, f"nonce {seed}", []
    for number, each in enumerate((Shape(*shape), *(SHAPES if elsewhere is None else elsewhere))):
        proof = Proof(each, dtype, every, nonce, f"proof {number}")
        errors.append(asdict(proof.judge(gate.prove(build, device, dtype, proof.given, proof.calls))))
    turns = Turns(dtype, every, nonce)
    turns.judge(gate.take_turns(build, device, dtype, turns.given, turns.CALLS))
    return worst(errors)


GUARDS = {"arithmetic": "yardstick", "peak_arithmetic": "peak"}
CONTROLS = {"twin": "twin", "peak_traffic": "peak", **GUARDS}


def run_rows(name, random, slower=None, spread=0.002, machine="m"):
    """The summary of a run of identical code, as `bench.analyse.reading.read` returns it.

    `slower` maps backends to the factor by which they are slower than in other runs; `spread` is the standard deviation of
    logs between runs, a tenth of which the guards have.
    """
    rows = []
    for backend in ("base", "slow", *CONTROLS):
        error = random.normal(0, spread / (10 if backend in GUARDS else 1))
        time = 1e-4 * float(np.exp(error)) * (slower or {}).get(backend, 1)
        rows.append(
            {
                "backend": backend, "device": "cpu", "dtype": "float32", "threads": 1, "N": 64, "D_in": 1000, "H": 100,
                "D_out": 10, "status": "ok", "reason": "", "seconds_per_step": 1.1 * time,
                "undisturbed_seconds_per_step": time, "kind": CONTROLS.get(backend, "seed"), "rounds": 100,
                "ratio": 1.0, "ratio_low": 0.999, "ratio_high": 1.001, "relative_error": 0.001, "processes": 20,
                "source_hash": "x", "versions": "numpy==2", "kernels": "", "allocator": "pinned", "steps_per_round": 20.0,
                "flop_per_second": 1e11 if backend == "peak_arithmetic" else np.nan,
                "verdict": "EQUAL" if backend == "twin" else "", "machine": machine, "run": name,
                "python": "3.11.7", "side": "",
            }
        )  # fmt: skip
    return pd.DataFrame(rows).assign(replicated=True)


CPU = "sys/devices/system/cpu"
GOOD_MACHINE = {
    "proc/loadavg": "0.20 0.10 0.10 1/80 999",
    "proc/self/cgroup": "0::/",
    "proc/cpuinfo": "processor\t: 0\nflags\t\t: fpu tsc",
    "sys/fs/cgroup/cpu.max": "max 100000",
    "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never",
    f"{CPU}/cpufreq/boost": "0",
    "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc",
} | {
    f"{CPU}/cpu{number}/{name}": text
    for number in range(2)
    for name, text in {
        "cpufreq/scaling_governor": "performance",
        "thermal_throttle/core_throttle_count": "0",
        "topology/thread_siblings_list": str(number),
    }.items()
}
"""Path → text: what the doctor's checks read on a machine of two CPUs with nothing to complain of."""
