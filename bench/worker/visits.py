"""One visit to a step: each round timed from weights that the step has not seen, and proven after the clock has stopped.

Neither the reference nor anything else that is not the step runs between a round's start and its end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial, reduce
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from backends.api import TrainStep, Weights, weights_dtype
from backends.reference import Trajectory
from bench.judge import proof, trajectories
from bench.schema.case import Case
from bench.worker import readback, timing

AGAIN = 3
"""Times that a suspiciously late reading of the weights is repeated: a process that was interrupted once is not lazy."""


@dataclass
class Opened:
    """A step that is ready to be visited."""

    case: Case
    step: TrainStep
    proven: bool
    shortest_readback: float = math.inf


@dataclass(frozen=True)
class Round:
    """What a round left behind: from the visit's weights turned by `turn`, the losses that were fetched and the weights."""

    turn: int
    losses: Sequence[float]
    weights: Weights


@dataclass(frozen=True)
class Measured:
    """The rounds of a visit; seconds are those of whole rounds."""

    throughput_seconds: float
    dispatch_seconds: float
    latency_seconds: float
    device_seconds: float | None
    minor_faults: int
    first_readback_seconds: float
    """Reading the weights after the single step that warms up."""
    readback_seconds: float
    """After the throughput round."""
    rounds: tuple[Round, ...]


def visit(opened: Opened, problem_seed: int, weights_seed: int, steps: int) -> dict[str, Any]:
    """A throughput and a latency round, and one by the device's clock where there is one; seconds. Raises `Wrong`.

    A step that does several in one call is called less often, at least once: the reply's `steps` are those that were done.
    """
    step, case = opened.step, opened.case
    calls = max(1, steps // step.steps_per_call)
    steps = calls * step.steps_per_call
    expected = None
    if opened.proven:
        expected = trajectories.expected(case, problem_seed, weights_seed, steps, step.steps_per_call)
    measured = measure(opened, weights_seed, calls)
    errors = None
    if expected:
        errors = prove_rounds(case, problem_seed, expected, measured.rounds)
        prove_readback(opened, weights_seed, calls, measured)
    return {
        "steps": steps,
        "throughput_seconds": measured.throughput_seconds,
        "dispatch_seconds": measured.dispatch_seconds,
        "latency_seconds": measured.latency_seconds,
        "device_seconds": measured.device_seconds,
        "minor_faults": measured.minor_faults,
        "readback_seconds": measured.readback_seconds,
        "errors": asdict(errors) if errors else None,
    }


def measure(opened: Opened, weights_seed: int, calls: int) -> Measured:
    """Times one round of `calls` calls in each mode, after a single call that warms caches and clocks."""
    step = opened.step
    _put(opened, weights_seed, 1)
    step.step()
    step.synchronize()
    first_readback_seconds, _ = readback.read(step)

    _put(opened, weights_seed, 0)
    dispatch_seconds, throughput_seconds, loss, minor_faults = timing.throughput(step, calls)
    readback_seconds, weights = readback.read(step)
    rounds = [Round(0, [float(loss)], weights)]

    _put(opened, weights_seed, 2)
    latency_seconds, losses = timing.latency(step, calls)
    rounds.append(Round(2, losses, step.get_weights()))

    device_seconds = None
    if step.mark() is not None:
        _put(opened, weights_seed, 3)
        device_seconds, loss = timing.device(step, calls)
        rounds.append(Round(3, [float(loss)], step.get_weights()))
    return Measured(
        throughput_seconds, dispatch_seconds, latency_seconds, device_seconds, minor_faults, first_readback_seconds,
        readback_seconds, tuple(rounds),
    )  # fmt: skip


def prove_rounds(case: Case, problem_seed: int, expected: Trajectory, rounds: Sequence[Round]) -> proof.Errors:
    """The worst errors of all rounds. Raises `Wrong`."""
    problem = trajectories.problem(case, problem_seed)
    with ThreadpoolController().limit(limits=1, user_api="blas"):  # the reference must not wake a second thread pool
        errors = [
            proof.judge(
                problem, expected, each.losses, each.weights, case.dtype, partial(trajectories.turned_trajectory, each.turn)
            )
            for each in rounds
        ]
    return reduce(proof.Errors.worst, errors)


def prove_readback(opened: Opened, weights_seed: int, calls: int, measured: Measured) -> None:
    """Raises `Wrong` if the weights come late after a round, each time that they are read, in this visit and all before."""
    short, seconds = measured.first_readback_seconds, measured.throughput_seconds
    opened.shortest_readback = min(opened.shortest_readback, measured.readback_seconds)
    for _ in range(AGAIN):
        if not readback.late(short, opened.shortest_readback, seconds):
            break
        _put(opened, weights_seed, 0)
        timing.throughput(opened.step, calls)
        opened.shortest_readback = min(opened.shortest_readback, readback.read(opened.step)[0])
    readback.judge(short, opened.shortest_readback, seconds)


def _put(opened: Opened, weights_seed: int, turn: int) -> None:
    start = trajectories.turned(trajectories.start_weights(opened.case.shape, weights_seed), turn)
    w1, w2 = (np.ascontiguousarray(w, weights_dtype(opened.case.dtype)) for w in start)
    opened.step.set_weights(w1, w2)
    opened.step.synchronize()
