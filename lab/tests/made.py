"""Runs whose truth is known; tables in the form that `bench.analyse.reading.read` returns."""

import json

import numpy as np
import pandas as pd

from bench.analyse.reading import COLUMNS
from lab.collect import RECORD
from lab.runs import TARGET, Run

SEED, SLOWED = ["numpy_manual", TARGET, "torch_autograd"], {"slowed_2": 0.02, "slowed_5": 0.05}
KINDS = dict.fromkeys(SEED, "seed") | dict.fromkeys(SLOWED, "slowed")
KINDS |= {"twin": "twin", "arithmetic": "guard"}
ERROR = 0.001
"""Standard error of a run's log time, as its own processes see it."""
SAME = {
    "machine": "m", "device": "cpu", "dtype": "float32", "threads": 1, "side": "", "problem": "p 1",
    "shape": "64x1000x100x10", "source_hash": "x", "versions": "numpy==2",
    "python": "3.11.7", "kernels": "default", "processes": 10, "rounds": 100,
    "steps_per_round": 10, "relative_error": ERROR, "status": "ok", "reason": "", "verdict": "",
}  # fmt: skip


def table(number, random, between=ERROR, **factors):
    """A run's table: log times differ between runs by `between`; `factors` multiply some times."""
    logs = pd.Series({name: random.normal(np.log(1e-4), between) for name in KINDS})
    logs[[*SLOWED]] = logs[TARGET] + np.log1p([*SLOWED.values()])
    logs += np.log([factors.get(name, 1) for name in KINDS])
    ratio, half = logs - logs["numpy_manual"], 2 * ERROR * (logs.index != "numpy_manual")
    ends = {"ratio": ratio, "ratio_low": ratio - half, "ratio_high": ratio + half}
    times = {name: logs for name in COLUMNS if "seconds_per_step" in name}
    made = np.exp(pd.DataFrame(times | ends)).assign(run=f"m/20260101T{number:06}Z")
    made = made.assign(backend=[*KINDS], kind=[*KINDS.values()], **SAME).reset_index(drop=True)
    return made.reindex(columns=COLUMNS).assign(file="")


def runs(count, seed=0, first=0, weather="calm", exit_code=0, **how):
    random = np.random.default_rng(seed)
    numbers = range(first, first + count)
    return [Run(weather, exit_code, table(number, random, **how)) for number in numbers]


def write(run, folder):
    """A finished run as `lab.collect` leaves it."""
    name = run.name.partition("/")[2]
    (folder / "m" / name).mkdir(parents=True)
    kept = run.table.assign(run=name).drop(columns=["file"])
    kept.to_csv(folder / "m" / name / "summary.csv", index=False)
    (folder / RECORD).write_text(json.dumps({"weather": run.weather, "exit_code": run.exit_code}))
