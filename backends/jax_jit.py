"""Two-layer ReLU net, sum of squared errors, SGD. This one compiles `jax.value_and_grad` and the update with `jax.jit`.

The step must never use a weight after it was handed over: `donate_argnums` lets XLA write the new one into its memory.
"""

import jax

from backends._jax import JaxStep
from backends.api import Problem


class JaxJit(JaxStep):
    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        self.train = jax.jit(whole_step, donate_argnums=(0, 1))

    def step(self) -> jax.Array:
        self.w1, self.w2, loss = self.train(self.w1, self.w2, self.x, self.y, self.learning_rate)
        return loss


def whole_step(w1: jax.Array, w2: jax.Array, x: jax.Array, y: jax.Array, learning_rate: float) -> tuple[jax.Array, ...]:
    # forward, loss and backward
    loss, (grad_w1, grad_w2) = jax.value_and_grad(loss_of, argnums=(0, 1))(w1, w2, x, y)
    # update
    return w1 - learning_rate * grad_w1, w2 - learning_rate * grad_w2, loss


def loss_of(w1: jax.Array, w2: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
    y_pred = jax.nn.relu(x @ w1) @ w2  # (N, D_out)
    return ((y_pred - y) ** 2).sum()  # ()
