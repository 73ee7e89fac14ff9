"""Classifier with one hidden layer, cross-entropy, Adam. This one compiles `jax.value_and_grad` and
the update with `jax.jit`.
"""

import jax
import numpy as np

from backends._jax import JaxDevice
from backends.api import Problem, State


class JaxJit(JaxDevice):
    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        self.x, self.y = self.place(problem.x), self.place(problem.y)
        self.set_state(*problem.state.values())
        names = ("learning_rate", "beta1", "beta2", "epsilon")
        self.constants = [problem.constants[name] for name in names]
        self.train = jax.jit(whole_step, donate_argnums=0)

    def step(self) -> jax.Array:
        self.state, loss = self.train(self.state, self.x, self.y, *self.constants)
        return loss

    def get_state(self) -> State:
        return [np.array(array) for array in jax.tree.leaves(self.state)]

    def set_state(self, *state) -> None:
        placed = [self.place(array) for array in state]
        self.state = placed[:4], placed[4:8], placed[8:12], placed[12]

    def synchronize(self) -> None:
        jax.block_until_ready(self.state)


def whole_step(state, x, y, learning_rate, beta1, beta2, epsilon):
    weights, m, v, t = state
    # forward, loss and backward
    loss, grads = jax.value_and_grad(loss_of)(weights, x, y)
    # update
    t = t + 1
    m = [m + (1 - beta1) * (grad - m) for m, grad in zip(m, grads, strict=True)]
    v = [v + (1 - beta2) * (grad * grad - v) for v, grad in zip(v, grads, strict=True)]
    m_hat = [m / (1 - beta1**t) for m in m]
    v_hat = [v / (1 - beta2**t) for v in v]
    moved = [m / (jax.numpy.sqrt(v) + epsilon) for m, v in zip(m_hat, v_hat, strict=True)]
    weights = [w - learning_rate * each for w, each in zip(weights, moved, strict=True)]
    return (weights, m, v, t), loss


def loss_of(weights: list[jax.Array], x: jax.Array, y: jax.Array) -> jax.Array:
    w1, b1, w2, b2 = weights
    scores = jax.nn.relu(x @ w1 + b1) @ w2 + b2  # (N, D_out)
    return -(y * jax.nn.log_softmax(scores)).sum() / len(x)  # ()
