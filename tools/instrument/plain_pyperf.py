"""The steps under pyperf, with its defaults: 20 worker processes for each step, one step after the other."""

import pyperf
from steps import PATHS, SEED

from backends.api import Problem
from bench.plan import discovery


def loops(count: int, name: str) -> float:
    step = discovery.load(PATHS[name])(Problem.random(), "cpu", "float32").step
    step()
    start = pyperf.perf_counter()
    for _ in range(count):
        step()
    return float(pyperf.perf_counter() - start)


if __name__ == "__main__":
    runner = pyperf.Runner()
    for name in (*SEED, "slowed_2"):
        runner.bench_time_func(name, loops, name)
