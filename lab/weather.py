"""Disturbs the machine in a reproducible way while something else is measured.

    python -m lab.weather burst --seconds 60

Each neighbour is a process pinned to one CPU; when it works follows from weather, seed and number
alone. Workers measure on the first CPU of the last core (`bench.machine.resources.cores`). Lasting
neighbours occupy the other CPUs, where the scheduler would place another job; short ones take turns
on the worker's own CPU.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any

import numpy as np
import psutil

from bench.conversation import end_with_parent
from bench.errors import UsageError, unknown
from bench.machine import resources
from bench.paths import ROOT

Schedule = Callable[[Random, float], Iterator[tuple[float, float]]]
"""Random source and seconds per run → endless pairs of seconds of work and of rest."""
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
MOST = 4
"""Neighbours on other CPUs: four saturate the memory bus of small machines."""
ARRAY_BYTES = 128 * 2**20
"""Size of each array that a streaming neighbour copies: larger than the caches of most machines."""
CHUNK_BYTES = 256 * 2**10
RUN_SECONDS = 60.0


def always(random: Random, run: float) -> Iterator[tuple[float, float]]:
    return itertools.repeat((1.0, 0.0))


def bursts(random: Random, run: float) -> Iterator[tuple[float, float]]:
    """Work of 1 to 100 ms, rest of 10 ms to 1 s, both log-uniform: about a tenth of the time."""
    while True:
        yield 0.001 * 100 ** random.random(), 0.01 * 100 ** random.random()


def one_stretch(share: float) -> Schedule:
    """Works in every run for `share` of its length, without a break, from a random moment on."""

    def schedule(random: Random, run: float) -> Iterator[tuple[float, float]]:
        yield 0.0, random.uniform(0, run * (1 - share))
        yield from itertools.repeat((run * share, run * (1 - share)))

    return schedule


@dataclass(frozen=True)
class Kind:
    """What the neighbours of a weather do, when, and where."""

    about: str
    work: str = ""
    schedule: Schedule = always
    on_workers_cpu: bool = False


HALF, TENTH = one_stretch(1 / 2), one_stretch(1 / 10)
KINDS = {
    "calm": Kind("no neighbour"),
    "compute": Kind("one on each other CPU, at most four, multiplies small matrices", "compute"),
    "memory": Kind("one on each other CPU, at most four, copies 128 MiB to and fro", "stream"),
    "burst": Kind("one on the worker's CPU, for 1 to 100 ms at a time", "compute", bursts, True),
    "half": Kind("one on the worker's CPU, for half of each run", "compute", HALF, True),
    "slow_process": Kind("the same for a tenth, so one or two passes", "compute", TENTH, True),
}


@dataclass(frozen=True)
class Neighbour:
    """One disturbing process; its schedule follows from these fields."""

    weather: str
    seed: str
    number: int
    cpu: int
    run_seconds: float

    def schedule(self) -> Iterator[tuple[float, float]]:
        random = Random(f"{self.weather} {self.seed} {self.number}")
        return KINDS[self.weather].schedule(random, self.run_seconds)


@dataclass
class Record:
    """The neighbours of a run, and the CPU time of each, filled in when the run has ended."""

    neighbours: list[Neighbour]
    cpu_seconds: list[float] = field(default_factory=list)


def neighbours(
    name: str, seed: object, run_seconds: float, cores: list[list[int]] | None = None
) -> list[Neighbour]:
    """The neighbours of a weather on these cores (default: this machine's).

    Raises `UsageError` for an unknown weather and where it needs more CPUs than there are.
    """
    if name not in KINDS:
        raise unknown("weather", name, [*KINDS], "lab.weather")
    kind = KINDS[name]
    if not kind.work:
        return []
    cores = cores or resources.cores()
    workers = cores[-1][0]
    others = [cpu for core in cores for cpu in core if cpu != workers]
    cpus = [workers] if kind.on_workers_cpu else others[-MOST:]
    if not cpus:
        fitting = [other for other, each in KINDS.items() if each.on_workers_cpu or not each.work]
        raise UsageError(f"{name}: needs a second CPU; choose among {', '.join(fitting)}.")
    return [Neighbour(name, str(seed), number, cpu, run_seconds) for number, cpu in enumerate(cpus)]


@contextmanager
def weather(name: str, seed: object = 0, run_seconds: float = RUN_SECONDS) -> Iterator[Record]:
    """Keeps the neighbours running during the block; raises `RuntimeError` if one ended early."""
    record = Record(neighbours(name, seed, run_seconds))
    with ExitStack() as ends:
        started = [ends.enter_context(_started(each)) for each in record.neighbours]
        yield record
        for process in started:
            if process.poll() is not None:
                raise RuntimeError(f"{name}: a neighbour ended early; measure this run again.")
            times = psutil.Process(process.pid).cpu_times()
            record.cpu_seconds.append(times.user + times.system)


@contextmanager
def _started(neighbour: Neighbour) -> Iterator[subprocess.Popen[bytes]]:
    """A neighbour within its schedule; the kernel ends it with the thread that started it."""
    command = [sys.executable, "-m", "lab.weather", "--neighbour", json.dumps(asdict(neighbour))]
    with subprocess.Popen(
        [*command, str(os.getpid())], cwd=ROOT, env=os.environ | ONE_THREAD,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        try:
            if process.stdout is None or process.stdout.readline() != b"ready\n":
                raise RuntimeError(
                    f"{neighbour.weather}: a neighbour did not start; see its output."
                )
            yield process
        finally:
            process.kill()


def run_neighbour(neighbour: Neighbour, parent: int) -> None:
    """The main loop of a neighbour's process."""
    end_with_parent()
    if os.getppid() != parent:  # the parent ended before the call above
        return
    os.sched_setaffinity(0, [neighbour.cpu])
    unit = {"compute": _compute, "stream": _stream}[KINDS[neighbour.weather].work]()
    print("ready", flush=True)
    now = time.perf_counter()
    for work, rest in neighbour.schedule():
        end = now + work
        while time.perf_counter() < end:
            unit()
        now = end + rest
        time.sleep(max(0.0, now - time.perf_counter()))


def _compute() -> Callable[[], Any]:
    """A matrix product within the first-level cache, a few microseconds."""
    a = np.ones((64, 64), np.float32)
    out = np.empty_like(a)
    return lambda: np.matmul(a, a, out=out)


def _stream() -> Callable[[], Any]:
    """A copy of one chunk from memory to memory, some ten microseconds."""
    source, target = np.ones(ARRAY_BYTES, np.uint8), np.ones(ARRAY_BYTES, np.uint8)
    places = itertools.cycle(range(0, ARRAY_BYTES, CHUNK_BYTES))

    def unit() -> None:
        place = next(places)
        target[place : place + CHUNK_BYTES] = source[place : place + CHUNK_BYTES]

    return unit


def main() -> None:
    about = "\n".join(f"  {name:13} {kind.about}" for name, kind in KINDS.items())
    as_is = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser("lab.weather", description=about, formatter_class=as_is)
    parser.add_argument("name", help="one of the above")
    parser.add_argument("--seconds", type=float, default=1e9, help="default: until Ctrl-C")
    parser.add_argument("--seed", default="0")
    given = parser.parse_args()
    try:
        with weather(given.name, given.seed) as record, suppress(KeyboardInterrupt):
            print(given.name, *(f"on CPU {each.cpu}" for each in record.neighbours), flush=True)
            time.sleep(given.seconds)
    except UsageError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--neighbour"]:
        run_neighbour(Neighbour(**json.loads(sys.argv[2])), parent=int(sys.argv[3]))
    else:
        main()
