"""One visit to a step: each round timed from weights that the step has not seen, and proven after the clock has stopped.

It must never let the reference, or anything else that is not the step, run between a round's start and its end.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial, reduce
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from backends.api import Problem, TrainStep, Weights, weights_dtype
from backends.reference import Trajectory, train
from bench.judge import proof
from bench.schema.case import Case
from bench.worker import timing

AGAIN = 3
"""Times that a suspiciously late reading of the weights is repeated: a process that was interrupted once is not lazy."""


@dataclass
class Opened:
    """A step that is ready to be visited."""

    case: Case
    step: TrainStep
    proven: bool
    shortest_readback: float = math.inf


def visit(opened: Opened, problem_seed: int, weights_seed: int, steps: int) -> dict[str, Any]:
    """A throughput and a latency round, and one by the device's clock where there is one; seconds. Raises `Wrong`.

    A step that does several in one call is called less often, at least once: the reply's `steps` are those that were done.
    """
    step, case = opened.step, opened.case
    calls = max(1, steps // step.steps_per_call)
    steps = calls * step.steps_per_call
    plain = replace(case, backend="", device="", twin=False)  # all backends share weights and reference
    expected = None
    if opened.proven:
        expected = replace(_expected(plain, problem_seed, weights_seed, steps), every=step.steps_per_call)
    start = _weights(case.shape, weights_seed)

    def put(turn: int) -> None:
        w1, w2 = (np.ascontiguousarray(w, weights_dtype(case.dtype)) for w in _turned(start, turn))
        step.set_weights(w1, w2)
        step.synchronize()

    put(1)
    step.step()  # warms caches and clocks
    step.synchronize()
    short, _ = proof.readback_seconds(step)
    put(0)
    dispatch_seconds, seconds, loss, faults = timing.throughput(step, calls)
    readback, weights = proof.readback_seconds(step)
    seen = [(0, [float(loss)], weights)]
    put(2)
    latency_seconds, losses = timing.latency(step, calls)
    seen.append((2, losses, step.get_weights()))
    device_seconds = None
    if step.mark() is not None:
        put(3)
        device_seconds, loss = timing.device(step, calls)
        seen.append((3, [float(loss)], step.get_weights()))
    errors = None
    if expected:
        problem = _problem(plain, problem_seed)
        with ThreadpoolController().limit(limits=1, user_api="blas"):  # the reference must not wake a second thread pool
            found = [
                proof.judge(problem, expected, got, w, case.dtype, partial(_turned_trajectory, turn)) for turn, got, w in seen
            ]
        errors = reduce(proof.Errors.worst, found)
        opened.shortest_readback = min(opened.shortest_readback, readback)
        for _ in range(AGAIN):
            if not proof.late(short, opened.shortest_readback, seconds):
                break
            put(0)
            timing.throughput(step, calls)
            opened.shortest_readback = min(opened.shortest_readback, proof.readback_seconds(step)[0])
        proof.judge_readback(short, opened.shortest_readback, seconds)
    return {
        "steps": steps,
        "throughput_seconds": seconds,
        "dispatch_seconds": dispatch_seconds,
        "latency_seconds": latency_seconds,
        "device_seconds": device_seconds,
        "minor_faults": faults,
        "readback_seconds": readback,
        "errors": asdict(errors) if errors else None,
    }


@lru_cache(maxsize=4)
def _weights(shape: tuple[int, int, int, int], seed: int) -> Weights:
    fresh = Problem.random(*shape, seed=seed)
    return fresh.w1, fresh.w2


def _turned(weights: Weights, turn: int) -> Weights:
    """The same network with its hidden units in another order: other weights, the same losses."""
    w1, w2 = weights
    return np.roll(w1, turn, axis=1), np.roll(w2, turn, axis=0)


def _turned_trajectory(turn: int, trajectory: Trajectory) -> Trajectory:
    """So one reference proves every round of a visit, each of which starts from weights that the step has not seen."""
    w1, w2 = _turned((trajectory.w1, trajectory.w2), turn)
    return replace(trajectory, start=_turned(trajectory.start, turn), w1=w1, w2=w2)


@lru_cache(maxsize=4)
def _problem(case: Case, seed: int) -> Problem:
    return case.problem(seed)


@lru_cache(maxsize=4)
def _expected(case: Case, seed: int, weights_seed: int, steps: int) -> Trajectory:
    margin = proof.KINK_MARGIN[case.dtype]
    with ThreadpoolController().limit(limits=1, user_api="blas"):
        return train(_problem(case, seed), steps, _weights(case.shape, weights_seed), kink_margin=margin)
