"""Measures the same five steps, unchanged, several times with three tools, and shows how well each repeats itself.

    pip install pyperf && python docs/comparison/compare.py 6

The tools take turns, so that all see the same weather. All run with one thread on this machine's CPU. A false alarm is
an ordered pair of runs in which the tool's own comparison calls any of the five steps different.
"""

import itertools
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parent.parent.parent
NAMES = ["numpy_manual", "torch_manual", "torch_autograd", "torch_detach", "torch_function"]
ONE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def call(*command: str, **environ: str) -> float:
    start = time.monotonic()
    env = os.environ | {"PYTHONPATH": str(ROOT)} | environ
    subprocess.run([sys.executable, *command], cwd=ROOT, env=env, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


def pytest_benchmark(folder: Path) -> tuple[float, dict[str, float]]:
    suite = "docs/comparison/plain_suite.py"
    took = call("-m", "pytest", suite, "--benchmark-only", f"--benchmark-json={folder}/r.json", **ONE)
    report = json.loads((folder / "r.json").read_text())
    return took, {one["params"]["name"]: one["stats"]["mean"] for one in report["benchmarks"]}


def pyperf(folder: Path) -> tuple[float, dict[str, float]]:
    import pyperf as library

    keep = ",".join(["PYTHONPATH", *ONE])
    took = call("docs/comparison/plain_pyperf.py", "-q", f"--inherit-environ={keep}", "-o", f"{folder}/p.json", **ONE)
    suite = library.BenchmarkSuite.load(str(folder / "p.json"))
    return took, {one.get_name(): one.mean() for one in suite.get_benchmarks()}


def stepbench(folder: Path) -> tuple[float, dict[str, float]]:
    took = call("-m", "bench", "run", BENCH_DEVICES="cpu", BENCH_RESULTS=str(folder))
    (path,) = folder.rglob("summary.csv")
    return took, pd.read_csv(path, keep_default_na=False, na_values="").set_index("backend")["seconds_per_step"].to_dict()


def main(runs: int) -> None:
    found: dict[str, list[tuple[float, dict[str, float], Path]]] = {}
    with tempfile.TemporaryDirectory() as top:
        for number, tool in itertools.product(range(runs), (pytest_benchmark, pyperf, stepbench)):
            folder = Path(top) / f"{tool.__name__}{number}"
            folder.mkdir()
            found.setdefault(tool.__name__, []).append((*tool(folder), folder))
        print("| tool | seconds a run | spread of times | spread of ratios | false alarms |")
        print("|---|---:|---:|---:|---:|")
        for tool, measured in found.items():
            took = statistics.mean(seconds for seconds, _, _ in measured)
            times = [[means[name] for _, means, _ in measured] for name in NAMES]
            ratios = [[means[name] / means["numpy_manual"] for _, means, _ in measured] for name in NAMES[1:]]
            alarm = {"pytest_benchmark": mean_beyond_5_percent, "pyperf": significant}.get(tool)
            pairs = list(itertools.permutations(measured, 2))
            alarms = f"{sum(alarm(a, b) for a, b in pairs)} of {len(pairs)} pairs" if alarm else "no verdict yet"
            print(f"| {tool} | {took:.0f} | {spread(times):.2%} | {spread(ratios):.2%} | {alarms} |")


def spread(rows: list[list[float]]) -> float:
    """Standard deviation between runs of the log, averaged over the steps."""
    return statistics.mean(statistics.stdev(map(math.log, row)) for row in rows)


def mean_beyond_5_percent(base, head) -> bool:
    """What `--benchmark-compare-fail=mean:5%` asks."""
    return any(head[1][name] > 1.05 * base[1][name] for name in NAMES)


def significant(base, head) -> bool:
    """What `pyperf compare_to` prints unless it says `not significant`."""
    command = [sys.executable, "-m", "pyperf", "compare_to", "--table", *(str(run[2] / "p.json") for run in (base, head))]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return any(word in printed for word in ("x slower", "x faster"))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 6)
