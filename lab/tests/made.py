"""Tables of runs whose truth is known, in the form that `bench.analyse.reading.read` returns."""

import json

import numpy as np
import pandas as pd

from bench.analyse.validation import COLUMNS
from lab.collect import RECORD
from lab.runs import TARGET, Run

SLOWED = {"slowed_1": 0.01, "slowed_2": 0.02, "slowed_5": 0.05}
SEED = ["numpy_manual", TARGET, "torch_autograd"]
CONTROLS = {"twin": "twin", "arithmetic": "yardstick"}
KINDS = dict.fromkeys(SEED, "seed") | dict.fromkeys(SLOWED, "slowed") | CONTROLS
TIMES = [name for name in COLUMNS if "seconds_per_step" in name]
ERROR = 0.001
"""Of a run's log time, as its own processes see it."""


def table(number, random, between=ERROR, **factors):
    """A run's table; `factors` multiply the times of single steps.

    Each step's log time differs from run to run with the standard deviation `between`.
    """
    logs = {name: np.log(1e-4) + random.normal(0, between) for name in KINDS}
    logs |= {name: logs[TARGET] + np.log1p(share) for name, share in SLOWED.items()}
    rows = []
    for name, kind in KINDS.items():
        log = logs[name] + np.log(factors.get(name, 1))
        ratio, half = log - logs["numpy_manual"], 0 if name == "numpy_manual" else 2 * ERROR
        rows.append(
            dict.fromkeys(TIMES, np.exp(log))
            | {"backend": name, "kind": kind, "status": "ok", "reason": ""}
            | {"ratio": np.exp(ratio), "relative_error": ERROR, "processes": 10, "rounds": 100}
            | {"ratio_low": np.exp(ratio - half), "ratio_high": np.exp(ratio + half)}
            | {"verdict": "EQUAL" if kind == "twin" else "", "steps_per_round": 10, "side": ""}
        )
    about = {"run": f"m/20260101T{number:06}Z", "machine": "m", "python": "3", "kernels": "default"}
    about |= {"device": "cpu", "dtype": "float32", "threads": 1, "ranks": 1, "allocator": "pinned"}
    about |= {"N": 64, "D_in": 1000, "H": 100, "D_out": 10, "source_hash": "x", "versions": "n==2"}
    made = pd.DataFrame(rows).assign(**about).reindex(columns=COLUMNS)
    return made.assign(replicated=True, file="")


def runs(count, seed=0, first=0, weather="calm", exit_code=0, **how):
    random = np.random.default_rng(seed)
    numbers = range(first, first + count)
    return [Run(weather, exit_code, table(number, random, **how)) for number in numbers]


def write(run, folder, seconds=50.0):
    """A finished run as `lab.collect` leaves it."""
    name = run.name.partition("/")[2]
    place = folder / "m" / name
    place.mkdir(parents=True)
    kept = run.table.assign(run=name).drop(columns=["replicated", "file"])
    kept.to_csv(place / "summary.csv", index=False)
    record = {"weather": run.weather, "exit_code": run.exit_code, "seconds": seconds}
    (folder / RECORD).write_text(json.dumps(record))
