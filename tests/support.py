"""What several tests share: a clean environment, proving a step, a good machine, and reading our CSV files."""

import gc
import json
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pandas as pd

from backends.api import Control
from bench import conversation
from bench.measure import rounds
from bench.measure.executor import Judge, Processes
from bench.measure.process import Process
from bench.paths import BACKENDS, CONTROLS
from bench.plan import discovery
from bench.plan.cases import make_plan
from bench.plan.sides import Backend, Side
from bench.problem import Definition
from bench.region import Region
from bench.settings import Settings
from bench.worker import gate, profiling, requests, timing
from bench.worker.requests import Requests as Worker
from tests.made import a_header, key_of, story  # noqa: F401
from tests.proving import judge_of


def read_csv(path) -> pd.DataFrame:
    return pd.read_csv(path, keep_default_na=False, na_values="")  # a backend is called null


ROOT = Path(__file__).parent.parent
LIGHT = {"PYTHONPATH": os.pathsep.join(map(str, (ROOT / "tests" / "light", ROOT)))}
"""Only NumPy, which loads in no time: for what is about no library."""
EVERYTHING = {"PYTHONPATH": str(ROOT)}


def clean_environ() -> dict[str, str]:
    """The environment without any setting of ours or of a surrounding pytest."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("BENCH_", "PYTEST_"))}


def a_problem(shape="7x13x5x3", seed=0, **constants):
    """A problem of the default problem folder."""
    problem = Definition.load(BACKENDS).draw(shape, "float64", seed)
    return replace(problem, constants={**problem.constants, **constants})


class Recorder(Control):
    """A step that notes what happens to it, and in which state of the garbage collector."""

    def __init__(self, shape="2x2x2x2"):
        super().__init__(a_problem(shape), "cpu", "float32")
        self.seen, self.collecting = [], []

    def note(self, event):
        self.seen.append(event)
        self.collecting.append(gc.isenabled())
        return len(self.seen)

    def step(self):
        self.note("step")
        return 0.5

    def synchronize(self):
        self.note("synchronize")

    def mark(self):
        return self.note("mark")

    def seconds_between(self, start, end):
        return end - start

    def set_state(self, *state):
        self.note("set_state")
        super().set_state(*state)


class Ticks:
    """A clock that advances by a microsecond with every reading."""

    now = 0.0

    def __call__(self):
        self.now += 1e-6
        return self.now


class FakeHandle(Process):
    """What the conductor holds of a process, answered by an object in this process.

    Requests and replies become JSON and arrays lie in a shared region, as between processes.
    """

    def __init__(self, name, requests, executor):
        self.name, self.requests, self.executor = name, requests, executor
        self.region = Region.new(1 << 22)
        self.theirs = Region(os.dup(self.region.descriptor))
        self.running, self.ended = True, False

    def send(self, do, **request):
        assert self.running, f"{self.name} is asked to {do} while it is stopped"
        self.asked = do, json.loads(json.dumps(request))

    def _read_reply(self):
        do, request = self.asked
        self.executor.log.append((self.name, do))
        reply = conversation.answer(getattr(self.requests, do), request, self.theirs)
        return self.executor.change(self.name, do, json.loads(json.dumps(reply)))

    def stop(self):
        self._note("stop", running=False)

    def resume(self):
        self._note("resume", running=True)

    def end(self):
        self._note("end", running=False)
        self.ended = True
        self.region.close()
        self.theirs.close()

    def _note(self, event, running):
        self.executor.log.append((self.name, event))
        self.running = running
        self.executor.count_running()


class FakeJudge(FakeHandle, Judge):
    """Of `BACKENDS`."""


class FakeExecutor(Processes):
    """Runs a judge and workers in this process by a clock that ticks; `log` has every event.

    `change(name, request, reply)` may return another reply or raise what a process would.
    """

    def __init__(self, change=lambda name, do, reply: reply):
        self.change, self.log, self.workers, self.most_running = change, [], [], 0
        self._workers, self._servers = {}, {}
        clock = Ticks()
        patch = mock.patch.object
        self._patches = [patch(module, "perf_counter", clock) for module in (rounds, timing, requests)]
        self._patches += [
            patch(gate, "thread_counts", lambda: {"pool": 1}),
            patch(Definition, "small", ("7x13x5x3",)),  # noise at several shapes takes most of the time
            patch(profiling.util, "find_spec", lambda name: None),  # memray takes half a second
        ]

    def __enter__(self):
        for each in self._patches:
            each.start()
        self.judge = FakeJudge("judge", judge_of(BACKENDS), self)
        return self

    def __exit__(self, *_):
        self.end_pass()
        self.log.append(("executor", "exit"))
        for each in self._patches:
            each.stop()
        self.judge.end()

    def cpus(self, case):
        return sorted(os.sched_getaffinity(0))

    def begin_pass(self, cases):
        self.log.append(("executor", "begin_pass"))

    def worker(self, case):
        self.change(case.name, "start", {})
        handle = self._workers[case.key] = FakeHandle(case.name, Worker(case.threads), self)
        self.log.append((case.name, "start"))
        self.workers.append(handle)
        self.count_running()
        return handle

    def end_pass(self):
        self.log.append(("executor", "end_pass"))
        super().end_pass()

    def count_running(self):
        self.most_running = max(self.most_running, sum(each.running for each in self.workers))


def described(*names, folders=()):
    """Name -> `Backend`, as a worker would describe it, of files in the project and in `folders`."""
    paths = {path.stem: path for path in discovery.files([BACKENDS, CONTROLS, *folders])}
    facts = {name: json.loads(json.dumps(discovery.describe(paths[name], ["cpu"]))) for name in names}
    return {name: Backend.from_json(facts[name], paths[name]) for name in names}


def small_plan(backends, **changes):
    """A plan of all training steps among these backends, at a small shape."""
    names = tuple(name for name, backend in backends.items() if backend.proven)
    small = {"shapes": ("7x13x5x3",), "processes": 2, "blocks": 2, "steps": 2}
    given = {"devices": ("cpu",), "backends": names, **small, **changes}
    settings = replace(Settings.from_env({}), **given)
    return make_plan(settings, (Side(backends=backends),), ("cpu",))


GUARDS = {"arithmetic": "guard", "peak_arithmetic": "peak"}
FIXED = {"twin": "twin", "peak_traffic": "peak", **GUARDS}


def run_rows(name, random, slower=None, spread=0.002, machine="m"):
    """The summary of a run of identical code, as `bench.analyse.reading.read` returns it.

    `slower` maps backends to the factor by which they are slower than in other runs; `spread` is the standard deviation of
    logs between runs, a tenth of which the guards have.
    """
    rows = []
    for backend in ("base", "slow", *FIXED):
        error = random.normal(0, spread / (10 if backend in GUARDS else 1))
        time = 1e-4 * float(np.exp(error)) * (slower or {}).get(backend, 1)
        rows.append(
            {
                "backend": backend, "device": "cpu", "dtype": "float32", "threads": 1, "shape": "64x1000x100x10",
                "problem": "p 1", "status": "ok", "reason": "", "seconds_per_step": 1.1 * time,
                "undisturbed_seconds_per_step": time, "kind": FIXED.get(backend, "seed"), "rounds": 100,
                "ratio": 1.0, "ratio_low": 0.999, "ratio_high": 1.001, "relative_error": 0.001, "processes": 20,
                "source_hash": "x", "versions": "numpy==2", "kernels": "", "steps_per_round": 20.0,
                "flop_per_second": 1e11 if backend == "peak_arithmetic" else np.nan,
                "verdict": "EQUAL" if backend == "twin" else "", "machine": machine, "run": name,
                "python": "3.11.7", "side": "",
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


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


class NvmlError(Exception):
    """What NVIDIA's library raises for a question that it does not answer."""


def unanswered(*_):
    raise NvmlError("no driver")


def fake_nvml(gpus=1, **answers):
    """A stand-in for NVIDIA's library with quiet GPUs; `calls` says whether it is open."""
    calls = []
    quiet = {
        "Count": lambda: gpus,
        "HandleByIndex": lambda index: index,
        "Name": lambda gpu: f"GPU {gpu}",
        "CurrentClocksThrottleReasons": lambda gpu: 0,
        "ClockInfo": lambda gpu, kind: 1980,
    }
    return SimpleNamespace(
        calls=calls, NVMLError=NvmlError, NVML_CLOCK_SM=1, NVML_CLOCK_MEM=2,
        nvmlInit=lambda: calls.append("open"), nvmlShutdown=lambda: calls.append("close"),
        nvmlSystemGetDriverVersion=lambda: "580",
        **{f"nvmlDeviceGet{name}": answer for name, answer in (quiet | answers).items()},
    )  # fmt: skip
