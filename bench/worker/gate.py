"""The gate: everything that is asked of a step before it may be timed.

It must never ask the same problem twice: a step that remembers answers would pass.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from time import perf_counter
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from backends import reference
from backends.api import Problem, TrainStep, Weights, steady_learning_rate, weights_dtype
from bench.errors import Wrong
from bench.judge.proof import KINK_MARGIN, Errors, judge
from bench.schema.case import Shape
from bench.worker import isolation, readback

SHAPES = (Shape(33, 257, 65, 17), Shape(7, 13, 5, 3), Shape(1, 1, 1, 1))
"""Beside the shape that is timed; multiples of nothing."""
TRAJECTORY = 10
REDRAWN = 10_000_000
"""How far a seed moves on where nothing was open; nobody else draws from there."""


def prove(
    build: type[TrainStep],
    device: str,
    dtype: str,
    shape: Shape,
    seed: int,
    before: dict[str, Any] | None = None,
    elsewhere: bool = True,
) -> Errors:
    """Everything that is asked of a step before it may be timed. Returns the worst errors at `shape`; raises `Wrong`.

    `elsewhere`: at the other shapes too, and with two instances; of the same code once a run is enough. `before`: an
    `isolation.snapshot()` from before the step was first built, if it has been built already.
    """
    before = before or isolation.snapshot()
    with ThreadpoolController().limit(limits=1, user_api="blas"):  # the reference must not wake a second thread pool
        own, *_ = [
            _prove_problem(build, device, dtype, proof_shape, seed + number)
            for number, proof_shape in enumerate((shape, *(SHAPES if elsewhere else ())))
        ]
        if elsewhere:
            _prove_instances(build, device, dtype, seed)
    _prove_readback(build(_problem(shape, seed), device, dtype))
    if changed := isolation.changes(before, isolation.snapshot()):
        raise Wrong(f"changes global state: {'; '.join(changed)}; leave the process as it was found")
    return own


def _problem(shape: Shape, seed: int) -> Problem:
    """A problem in which some hidden unit is open: without one a tiny network has no update that could be wrong."""
    drawn = (Problem.random(*shape, seed=each, learning_rate=steady_learning_rate(*shape)) for each in count(seed, REDRAWN))
    return next(problem for problem in drawn if (problem.x @ problem.w1 > 0).any())


def _expected(
    build: type[TrainStep], problem: Problem, calls: int, dtype: str, start: Weights | None = None
) -> reference.Trajectory:
    every = build.steps_per_call
    return replace(reference.train(problem, calls * every, start, kink_margin=KINK_MARGIN[dtype]), every=every)


def _other_weights(problem: Problem, seed: int) -> Weights:
    """Weights that the step has not seen, of which some open a hidden unit too."""
    drawn = (Problem.random(*problem.shape, seed=each) for each in count(seed + 1_000_000, REDRAWN))
    return next((other.w1, other.w2) for other in drawn if (problem.x @ other.w1 > 0).any())


def _prove_problem(build: type[TrainStep], device: str, dtype: str, shape: Shape, seed: int) -> Errors:
    problem = _problem(shape, seed)
    inputs = {name: getattr(problem, name).copy() for name in ("x", "y", "w1", "w2")}
    calls = max(2, TRAJECTORY // build.steps_per_call)
    once = _expected(build, problem, 1, dtype)
    ten = _expected(build, problem, calls, dtype, _other_weights(problem, seed))

    step = build(problem, device, dtype)
    loss = float(step.step())
    step.synchronize()
    weights = step.get_weights()
    for name, array in inputs.items():
        if not np.array_equal(getattr(problem, name), array):
            raise Wrong(f"writes to its input: Problem.{name} has changed; copy it before changing it")
    errors = judge(problem, once, [loss], weights, dtype)

    given = [w.astype(weights_dtype(dtype)) for w in ten.start]
    step.set_weights(*given)
    for array in given:
        array.fill(np.nan)  # a step that kept the arrays instead of copying them ends in NaN
    losses = [float(step.step()) for _ in range(calls)]
    step.synchronize()
    first = step.get_weights()
    errors = errors.worst(judge(problem, ten, losses, first, dtype))

    for array in first:
        array.fill(np.nan)
    if not all(np.isfinite(w).all() for w in step.get_weights()):
        raise Wrong("hands out its own weights instead of copies: writing to what get_weights() gave changes the step")
    return errors


def _prove_instances(build: type[TrainStep], device: str, dtype: str, seed: int) -> None:
    """Two steps of one class, taken in turns, must not know of each other."""
    problems = [_problem(SHAPES[0], seed + 100 + number) for number in range(2)]
    steps = [build(problem, device, dtype) for problem in problems]
    losses: list[list[float]] = [[], []]
    for _ in range(3):
        for step, seen in zip(steps, losses, strict=True):
            seen.append(float(step.step()))
    for step, seen, problem in zip(steps, losses, problems, strict=True):
        step.synchronize()
        try:
            judge(problem, _expected(build, problem, 3, dtype), seen, step.get_weights(), dtype)
        except Wrong:
            raise Wrong("shares state between two instances: each is right alone, and wrong when they take turns") from None


def _prove_readback(step: TrainStep, steps: int = 20, repeats: int = 3) -> None:
    w1, w2 = step.get_weights()
    shortest = {1: np.inf, steps: np.inf}
    fastest = np.inf
    for calls in (1, steps) * repeats:
        step.set_weights(w1, w2)
        start = perf_counter()
        for _ in range(calls):
            step.step()
        step.synchronize()
        if calls == steps:
            fastest = min(fastest, perf_counter() - start)
        shortest[calls] = min(shortest[calls], readback.read(step)[0])
    readback.judge(shortest[1], shortest[steps], fastest)
