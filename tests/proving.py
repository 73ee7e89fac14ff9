"""Proves steps of a problem folder as a run does, with judge and worker in this process."""

import inspect
from functools import cache
from pathlib import Path

import numpy as np
import threadpoolctl

from backends.api import TrainStep, weights_dtype
from bench.judge.comparing import worst
from bench.judge.requests import Requests
from bench.paths import BACKENDS, ROOT
from bench.plan import discovery
from bench.problem import Definition
from bench.worker import gate

EXAMPLES = ROOT / "examples"
REGRESSION = EXAMPLES / "linear_regression"
"""The smallest problem that there is."""


@cache
def judge_of(folder: Path) -> Requests:
    """One judge for all steps of a folder: it measures once what rounding allows."""
    return Requests(0, str(folder))


def prove(build, dtype, shape="", folder=BACKENDS, device="cpu", small=None):
    """The worst errors, as `Requests.judged` returns them. Raises `Wrong`.

    `shape`: the problem's default if empty; `small`: how many small ones follow, by default all.
    """
    judge, place = judge_of(folder), (device, dtype)
    shape = shape or judge.definition.default
    about = {"shape": shape, "dtype": dtype, "every": build.steps_per_call}
    found = []
    with threadpoolctl.threadpool_limits(1):  # several threads are slow on a busy machine
        for number in range(1 + len(judge.definition.small[:small])):
            asked = judge.prove(**about, number=number)
            found.append(judge.judged(asked["name"], answers(gate.prove, build, asked, *place))["errors"])
        asked = judge.turns(**about)
        judge.judged(asked["name"], answers(gate.take_turns, build, asked, *place))
    return worst(found)


def answers(take, build, asked, device="cpu", dtype="float32"):
    """What a worker replies to a judge's question; `take` is a function of `bench.worker.gate`."""
    given = [array.copy() for array in asked["arrays"]]
    return take(build, device, dtype, given, asked["problem"], asked["calls"])


def regression_with(folder: Path, *changes: tuple[str, str]) -> Definition:
    """The linear regression, in this folder, with texts replaced by others."""
    text = "import numpy as np\n" + (REGRESSION / "problem.py").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / "problem.py").write_text(text)
    return Definition.load(folder)


def ways(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in discovery.files([folder])}


LAST = 'return loss, {"w": w - learning_rate * grad_w, "b": b - learning_rate * grad_b}'
"""Of the linear regression's step."""


def numpy_step(function) -> type[TrainStep]:
    """A `TrainStep` that takes steps of a function like `problem.step`, in its dtype."""

    class NumpyStep(TrainStep):
        def __init__(self, problem, device, dtype):
            held = weights_dtype(dtype)
            self.data = {name: array.astype(held) for name, array in problem.data.items()}
            self.state = {name: array.astype(held) for name, array in problem.state.items()}
            self.names, self.constants = list(problem.state), dict(problem.constants)
            if "memory" in inspect.signature(function).parameters:
                self.constants["memory"] = {}

        def step(self):
            with np.errstate(all="ignore"):
                loss, self.state = function(self.data, self.state, **self.constants)
            return loss

        def get_state(self):
            return [np.array(self.state[name]) for name in self.names]

        def set_state(self, *state):
            pairs = zip(self.names, state, strict=True)
            self.state = {name: array.copy() for name, array in pairs}

    return NumpyStep
