"""Checks the reference of plain gradient descent by central differences of its own loss."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bench.problem import Definition, Float64

DIRECTIONS = 3
DISTANCE = 1e-5
"""Relative to the array's norm: the differences' error is of its square."""
ALLOWED = 1e-4
"""Of the gradient's norm."""


def central_differences(definition: Definition) -> tuple[bool, str]:
    """Whether the reference passed or was not checked, and a sentence.

    The update over the learning rate is the gradient of the loss, if the step is nothing but
    gradient descent: `learning_rate` is its only constant and its loss depends on every array.
    """
    shape = definition.small[0]
    problem = definition.draw(shape, "float64", 0)
    if list(problem.constants) != ["learning_rate"]:
        return True, "not checked by central differences, since learning_rate is not its only constant; that is fine"
    if not problem.learning_rate:
        return True, "not checked by central differences: learning_rate is 0"
    rng, start = np.random.default_rng(0), problem.state

    def loss(state: Mapping[str, Float64]) -> float:
        return float(definition.run(problem, tuple(state.values()), 1).losses[0])

    ends = definition.run(problem, tuple(start.values()), 1).state
    worst = 0.0
    for (name, before), after in zip(start.items(), ends, strict=True):
        gradient = (before - after) / problem.learning_rate
        size = float(np.linalg.norm(gradient))
        for _ in range(DIRECTIONS):
            way = rng.standard_normal(before.shape)
            far = DISTANCE * max(float(np.linalg.norm(before)), 1e-3) / float(np.linalg.norm(way))
            ahead, behind = (loss({**start, name: before + s * far * way}) for s in (1, -1))
            slope, expected = (ahead - behind) / (2 * far), float(np.sum(gradient * way))
            if size and ahead == behind:
                return True, f"not checked by central differences: its loss ignores {name}"
            error = abs(slope - expected) / size if size else abs(slope)
            if not error <= ALLOWED:
                return False, (
                    f"moves {name} along {expected:.6g}, where central differences of its loss "
                    f"give {slope:.6g} (a random direction, shape {shape}); fix the gradient, or "
                    "the loss"
                )
            worst = max(worst, error)
    return True, f"agrees with central differences of its loss to {worst:.0e}"
