"""What float64 says of a round: the weights it starts from, and the losses and weights that right steps end with.

One reference proves every round of a visit: the same network with its hidden units in another order has other weights and the
same losses.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from threadpoolctl import ThreadpoolController

from backends.api import Problem, Weights
from backends.reference import Trajectory, train
from bench.judge import proof
from bench.schema.case import Case, Shape


@lru_cache(maxsize=4)
def start_weights(shape: Shape, seed: int) -> Weights:
    fresh = Problem.random(*shape, seed=seed)
    return fresh.w1, fresh.w2


def turned(weights: Weights, turn: int) -> Weights:
    """w1 (D_in, H) and w2 (H, D_out) with their hidden units moved on by `turn` places."""
    w1, w2 = weights
    return np.roll(w1, turn, axis=1), np.roll(w2, turn, axis=0)


def turned_trajectory(turn: int, trajectory: Trajectory) -> Trajectory:
    w1, w2 = turned((trajectory.w1, trajectory.w2), turn)
    return replace(trajectory, start=turned(trajectory.start, turn), w1=w1, w2=w2)


def problem(case: Case, seed: int) -> Problem:
    return _problem(_shared(case), seed)


def expected(case: Case, seed: int, weights_seed: int, steps: int, every: int) -> Trajectory:
    """`steps` steps on the case's problem, of which every `every`-th loss is told."""
    return replace(_expected(_shared(case), seed, weights_seed, steps), every=every)


def _shared(case: Case) -> Case:
    """All backends and devices share problems and references."""
    return replace(case, backend="", device="", twin=False)


@lru_cache(maxsize=4)
def _problem(case: Case, seed: int) -> Problem:
    return case.problem(seed)


@lru_cache(maxsize=4)
def _expected(case: Case, seed: int, weights_seed: int, steps: int) -> Trajectory:
    margin = proof.KINK_MARGIN[case.dtype]
    with ThreadpoolController().limit(limits=1, user_api="blas"):
        return train(_problem(case, seed), steps, start_weights(case.shape, weights_seed), kink_margin=margin)
