"""Makes weather: neighbours that disturb the machine in a known way for as long as something else is measured.

    python tools/instrument/weather.py burst --seconds 60

Neighbours are processes of their own that know nothing of what is measured, and when they work follows from name, seed and
number alone. None may outlive whoever started it, and weather that was not there as announced must not pass in silence.

Workers measure on the first CPU of the last core (`bench.machine.resources.cores`), the conductor keeps off it. A job that the
scheduler puts beside a run has a core of its own as long as there is one, so what lasts sits on the others, sibling threads
included. What comes for a moment, or when cores are short, takes its turns on the worker's CPU.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from bench.conversation import end_with_parent  # the checkout's, however this file is called
from bench.errors import UsageError, unknown
from bench.machine import resources

Schedule = Callable[[Random, float], Iterator[tuple[float, float]]]
"""From a source of chance and the seconds that a run takes: seconds of work and of rest, in turns, without end."""
MOST = 4
"""Neighbours on other CPUs: four of them fill the memory bus of small machines."""
STREAMED = 128 * 2**20
"""Bytes of each of the two arrays that a streaming neighbour copies between: beyond the caches of most machines."""
CHUNK = 256 * 2**10
RUN_SECONDS = 80.0
"""What a run of this project takes with the defaults."""


def always(random: Random, run: float) -> Iterator[tuple[float, float]]:
    while True:
        yield 1.0, 0.0


def bursts(random: Random, run: float) -> Iterator[tuple[float, float]]:
    """Work of 1 to 100 ms, rests of 10 ms to 1 s, the logarithms of both evenly spread: a tenth of the time."""
    while True:
        yield 0.001 * 100 ** random.random(), 0.01 * 100 ** random.random()


def half_a_run(random: Random, run: float) -> Iterator[tuple[float, float]]:
    return _a_share(random, run, 1 / 2)


def one_process(random: Random, run: float) -> Iterator[tuple[float, float]]:
    """A run has ten passes, one after the other; what lasts as long as one of them falls into one or two."""
    return _a_share(random, run, 1 / 10)


def _a_share(random: Random, run: float, share: float) -> Iterator[tuple[float, float]]:
    """Once in every `run` seconds, in one piece, from a moment that chance chooses."""
    yield 0.0, random.uniform(0, run * (1 - share))
    while True:
        yield run * share, run * (1 - share)


@dataclass(frozen=True)
class Kind:
    """What the neighbours of a weather do, when, and whether on the worker's own CPU or on the others."""

    about: str
    work: str = ""
    schedule: Schedule = always
    on_workers_cpu: bool = False


KINDS = {
    "calm": Kind("No neighbour."),
    "compute": Kind("One neighbour on each other CPU, four at most, multiplies small matrices all the time.", "compute"),
    "memory": Kind("One neighbour on each other CPU, four at most, copies 128 MiB to and fro all the time.", "stream"),
    "burst": Kind("A neighbour computes on the worker's CPU for 1 to 100 ms, again and again.", "compute", bursts, True),
    "half": Kind("A neighbour computes on the worker's CPU for half a run in one piece.", "compute", half_a_run, True),
    "slow_process": Kind(
        "A neighbour computes on the worker's CPU for a tenth of a run, as one of its ten processes takes.",
        "compute", one_process, True,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Neighbour:
    """One process of a weather, and all that its schedule follows from."""

    weather: str
    seed: str
    number: int
    cpu: int
    run_seconds: float

    def schedule(self) -> Iterator[tuple[float, float]]:
        return KINDS[self.weather].schedule(Random(f"{self.weather} {self.seed} {self.number}"), self.run_seconds)


@dataclass
class Record:
    """What a weather was, for the file beside a run; `cpu_seconds` of each neighbour are known when it has ended."""

    neighbours: list[Neighbour]
    cpu_seconds: list[float] = field(default_factory=list)


def neighbours(name: str, seed: object, run_seconds: float, cores: list[list[int]] | None = None) -> list[Neighbour]:
    """Who makes the weather on these cores (this machine's by default). Raises `UsageError` where there is no room for it."""
    if name not in KINDS:
        raise unknown("weather", name, [*KINDS], "tools/instrument/weather.py")
    kind = KINDS[name]
    if not kind.work:
        return []
    cores = cores or resources.cores()
    workers = cores[-1][0]
    cpus = [workers] if kind.on_workers_cpu else [cpu for core in cores for cpu in core if cpu != workers][-MOST:]
    if not cpus:
        fitting = [other for other, each in KINDS.items() if each.on_workers_cpu or not each.work]
        raise UsageError(f"{name}: needs a second CPU, and this process may use one alone; choose among {', '.join(fitting)}.")
    return [Neighbour(name, str(seed), number, cpu, run_seconds) for number, cpu in enumerate(cpus)]


@contextmanager
def weather(name: str, seed: object = 0, run_seconds: float = RUN_SECONDS) -> Iterator[Record]:
    """That weather, from when its neighbours have started until the block ends; raises `RuntimeError` if one ended before."""
    record = Record(neighbours(name, seed, run_seconds))
    with ExitStack() as ends:
        started = [ends.enter_context(_started(each)) for each in record.neighbours]
        yield record
        for process in started:
            if process.poll() is not None:
                raise RuntimeError(f"{name}: a neighbour ended on its own, so the weather was not what it is called.")
            times = psutil.Process(process.pid).cpu_times()
            record.cpu_seconds.append(times.user + times.system)


@contextmanager
def _started(neighbour: Neighbour) -> Iterator[subprocess.Popen[str]]:
    """A neighbour that is at work, or resting as its schedule says. It ends with the thread that started it."""
    told = json.dumps({"parent": os.getpid(), **asdict(neighbour)})
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    command = [sys.executable, __file__, "--neighbour", told]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=os.environ | one)
    try:
        if process.stdout is None or process.stdout.readline() != "ready\n":
            raise RuntimeError(f"{neighbour.weather}: a neighbour did not start; what it printed says why.")
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def be(neighbour: Neighbour, parent: int) -> None:
    """What a neighbour's process does until it is ended."""
    end_with_parent()
    if os.getppid() != parent:  # it ended before the kernel was told
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
    """A product that stays in the first cache: some microseconds."""
    import numpy as np

    a = np.ones((64, 64), np.float32)
    out = np.empty_like(a)
    return lambda: np.matmul(a, a, out=out)


def _stream() -> Callable[[], Any]:
    """A piece of a copy that goes through memory: some ten microseconds."""
    import itertools

    import numpy as np

    source, target = np.ones(STREAMED, np.uint8), np.ones(STREAMED, np.uint8)
    places = itertools.cycle(range(0, STREAMED, CHUNK))

    def unit() -> None:
        place = next(places)
        target[place : place + CHUNK] = source[place : place + CHUNK]

    return unit


def main() -> None:
    table = "\n".join(f"  {name:13} {kind.about}" for name, kind in KINDS.items())
    parser = argparse.ArgumentParser(description=f"Makes weather.\n\n{table}", formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("name", help="one of the above")
    parser.add_argument("--seconds", type=float, default=1e9, help="how long; until Ctrl-C by default")
    parser.add_argument("--seed", default="0")
    parser.add_argument("--run-seconds", type=float, default=RUN_SECONDS, help="what half a run or one process refers to")
    given = parser.parse_args()
    try:
        with weather(given.name, given.seed, given.run_seconds) as record, suppress(KeyboardInterrupt):
            print(given.name, *(f"on CPU {each.cpu}" for each in record.neighbours), flush=True)
            time.sleep(given.seconds)
    except UsageError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--neighbour"]:
        told = json.loads(sys.argv[2])
        be(Neighbour(**{name: value for name, value in told.items() if name != "parent"}), told["parent"])
    else:
        main()
