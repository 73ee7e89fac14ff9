"""Proves steps of a problem folder as a run does, with judge and worker in this process."""

from functools import cache
from pathlib import Path

import numpy as np

from backends.api import TrainStep, weights_dtype
from bench.judge.requests import Requests
from bench.plan import discovery
from bench.problem import Definition
from bench.schema.case import Case
from bench.worker import gate


@cache
def judge_of(folder: Path) -> Requests:
    """One judge for all steps of a folder: it measures once what rounding allows."""
    return Requests(0, str(folder))


def prove(build, folder: Path, dtype: str, shape: str = "", small: int | None = None):
    """The worst errors, as `Requests.proven` returns them. Raises `Wrong`.

    `shape`: the problem's default if empty; `small`: how many small ones follow, by default all.
    """
    definition, judge = Definition.load(folder), judge_of(folder)
    case = Case("it", "cpu", dtype, 1, shape or definition.default).as_json()
    found = []
    for number in range(1 + (len(definition.small) if small is None else small)):
        asked = judge.prove(case, build.steps_per_call, number)
        given = asked["arrays"], asked["problem"], asked["calls"]
        found.append(judge.proven(gate.prove(build, "cpu", dtype, *given))["errors"])
    asked = judge.turns(case, build.steps_per_call)
    given = asked["arrays"], asked["problem"], asked["calls"]
    judge.took_turns(gate.take_turns(build, "cpu", dtype, *given))
    return max(found, key=lambda errors: errors["share"])


def ways(folder: Path) -> dict[str, Path]:
    return discovery.find([folder])


def numpy_step(function) -> type[TrainStep]:
    """A `TrainStep` that takes steps of a function like `problem.step`, in its dtype."""

    class NumpyStep(TrainStep):
        def __init__(self, problem, device, dtype):
            held = weights_dtype(dtype)
            self.data = {name: array.astype(held) for name, array in problem.data.items()}
            self.state = {name: array.astype(held) for name, array in problem.state.items()}
            self.names, self.constants = list(problem.state), dict(problem.constants)
            if "memory" in function.__code__.co_varnames[: function.__code__.co_argcount]:
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
