"""Two-layer ReLU net, sum of squared errors, SGD. This one hands ten steps of `jax_jit` to XLA in one call.

A call must never return to Python between two steps: `lax.fori_loop` is part of the compiled code.
"""

import jax

from backends.api import Problem
from backends.jax_jit import JaxJit, whole_step


class JaxLoop(JaxJit):
    steps_per_call = 10

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        self.train = jax.jit(ten_steps, donate_argnums=(0, 1))


def ten_steps(w1: jax.Array, w2: jax.Array, x: jax.Array, y: jax.Array, learning_rate: float) -> tuple[jax.Array, ...]:
    def body(_: int, state: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        w1, w2, _ = state
        return whole_step(w1, w2, x, y, learning_rate)

    return jax.lax.fori_loop(0, JaxLoop.steps_per_call, body, (w1, w2, jax.numpy.zeros((), x.dtype)))
