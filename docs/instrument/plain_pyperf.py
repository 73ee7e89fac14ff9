"""The steps under pyperf, with its defaults: 20 worker processes for each step, one step after the other."""

from pathlib import Path

import pyperf

from backends.api import Problem
from bench import discovery

SEED = ["numpy_manual", "torch_manual", "torch_autograd", "torch_detach", "torch_function"]
PATHS = discovery.find([discovery.BACKENDS, Path(__file__).parent / "slowed"])


def loops(count, name):
    step = discovery.load(PATHS[name])(Problem.random(), "cpu", "float32").step
    step()
    start = pyperf.perf_counter()
    for _ in range(count):
        step()
    return pyperf.perf_counter() - start


if __name__ == "__main__":
    runner = pyperf.Runner()
    for name in (*SEED, "slowed_2"):
        runner.bench_time_func(name, loops, name)
