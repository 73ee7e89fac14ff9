"""What several tests share: journals and a machine made by hand, a clean environment, and reading our CSV files."""

import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from bench.judge.questions import SHAPES, Proof, Turns
from bench.measure.rounds import worst
from bench.record import journal
from bench.schema.case import Shape
from bench.worker import gate


def read_csv(path) -> pd.DataFrame:
    return pd.read_csv(path, keep_default_na=False, na_values="")  # a backend is called null


ROOT = Path(__file__).parent.parent
LIGHT = {"PYTHONPATH": os.pathsep.join(map(str, (ROOT / "tests" / "light", ROOT)))}
"""Only NumPy, which loads in no time: for what is about no library."""
EVERYTHING = {"PYTHONPATH": str(ROOT)}


def clean_environ() -> dict[str, str]:
    """The environment without any setting of ours or of a surrounding pytest."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("BENCH_", "PYTEST_"))}


def prove(build, device, dtype, shape, seed, elsewhere=SHAPES):
    """What judge and worker do to prove a step, both in this process; the worst errors. Raises `Wrong`."""
    every, nonce, errors = build.steps_per_call, f"nonce {seed}", []
    for number, each in enumerate((Shape(*shape), *elsewhere)):
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

NAMES = ("base", "slow", "twin")
SHAPE = [64, 1000, 100, 10]


def key_of(name):
    return f"{name}-cpu-float32-1-64x1000x100x10"


def _case(name, **changes):
    backend = "base" if name == "twin" else name
    return {
        "backend": backend, "device": "cpu", "dtype": "float32", "threads": 1, "shape": SHAPE, "twin": name == "twin",
        "side": "", "key": key_of(name), "name": name, "kind": "seed", "baseline": key_of("base"), "proven": True,
        "flops": 1000, "bytes": 0, "learning_rate": 1e-6, "tolerance": 1e-4, "source_hash": "x", "versions": {"numpy": "2"},
        "idea": "", **changes,
    }  # fmt: skip


MACHINE = {
    "time": "2026-01-01T00:00:00+00:00", "cpu": "a CPU", "cpus": 2, "cores": [[0], [1]], "memory_bytes": 8_000_000_000,
    "gpus": [], "system": "Linux", "python": "3", "commit": None,
}  # fmt: skip


def a_header(**changes):
    """A journal's first line, right as a whole."""
    settings = {"processes": 20, "blocks": 3, "steps": 10, "allocator": "pinned", "baseline": "base"}
    return {
        "record": "header", "schema": 1, "run": "r", "machine_name": "m", "machine": MACHINE, "settings": settings, "holes": [],
        "cases": [_case("base"), _case("slow"), _case("twin", kind="twin")], **changes,
    }  # fmt: skip


def story(seconds, passes=20, blocks=3, end=True, extra=()):
    """A journal in which `seconds(name, pass, block)` is what a step took; `extra` records name their case alike."""
    header = a_header()
    header["settings"]["blocks"] = blocks
    errors = {"loss": 1e-6, "w1": 1e-6, "w2": 1e-6, "kinks": 0}
    records = []
    for number in range(passes):
        records.append({"record": "pass", "pass": number})
        records += [
            {"record": "open", "pass": number, "case": key_of(name), "first_step_seconds": 0.5, "errors": errors}
            for name in NAMES
        ]
        for block in range(blocks):
            for position, name in enumerate(NAMES):
                took = 10 * seconds(name, number, block)
                records.append(
                    {
                        "record": "visit", "pass": number, "block": block, "position": position, "case": key_of(name),
                        "steps": 10, "throughput_seconds": took, "dispatch_seconds": None, "latency_seconds": 2 * took,
                        "device_seconds": None, "minor_faults": 5, "readback_seconds": 0.0,
                        "errors": {"loss": 1e-7, "w1": 1e-7, "w2": 1e-7, "kinks": 0},
                    }
                )  # fmt: skip
    records += [{**record, "case": key_of(record["case"])} for record in extra]
    return journal.Story(None, header, (*records, *([{"record": "end", "pass": 0}] if end else [])))
