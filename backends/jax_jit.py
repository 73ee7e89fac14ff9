"""Two-layer ReLU net, sum of squared errors, SGD. This one compiles `jax.value_and_grad` and the update with `jax.jit`.

The step must never use a weight after it was handed over: `donate_argnums` lets XLA write the new one into its memory.
float64 would need a switch for the whole process, so there is float32 only.
"""

import re

import jax
import numpy as np

from backends.api import Problem, TrainStep, Weights


class JaxJit(TrainStep):
    devices = ("cpu", "cuda")
    dtypes = ("float32",)
    libraries = ("jax", "jaxlib")

    @classmethod
    def why_not(cls, device: str, dtype: str) -> str | None:
        reason = super().why_not(device, dtype)
        if reason or device == "cpu":
            return reason
        index, found = int(device.partition(":")[2] or 0), _gpus()
        return None if index < len(found) else f"finds {len(found)} GPUs with jax {jax.__version__}, not {device}"

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        kind, _, index = device.partition(":")
        self.device = (jax.devices("cpu") if kind == "cpu" else _gpus())[int(index or 0)]
        self.x, self.y = (jax.device_put(a.astype(dtype), self.device) for a in (problem.x, problem.y))
        self.set_weights(problem.w1.astype(dtype), problem.w2.astype(dtype))
        self.learning_rate = problem.learning_rate
        self.train = jax.jit(whole_step, donate_argnums=(0, 1))

    def step(self) -> jax.Array:
        self.w1, self.w2, loss = self.train(self.w1, self.w2, self.x, self.y, self.learning_rate)
        return loss

    def get_weights(self) -> Weights:
        return np.array(self.w1), np.array(self.w2)

    def set_weights(self, w1, w2) -> None:
        self.w1, self.w2 = (jax.device_put(w.copy(), self.device) for w in (w1, w2))

    def synchronize(self) -> None:
        jax.block_until_ready((self.w1, self.w2))

    def counts(self) -> dict[str, int]:
        """Instructions of the compiled HLO that compute something; a loop's body counts once for each of its steps."""
        text = self.train.lower(self.w1, self.w2, self.x, self.y, self.learning_rate).compile().as_text()
        inner = set(re.findall(r"calls=%([\w.-]+)", text))  # what a fusion consists of
        computations = re.findall(r"^(?:ENTRY )?%([\w.-]+) .*?\{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL)
        outer = "".join(body for name, body in computations if name not in inner)
        return {"operators": len(re.findall(r" (?:fusion|dot|copy|custom-call|reduce)\(", outer)) * self.steps_per_call}


def whole_step(w1: jax.Array, w2: jax.Array, x: jax.Array, y: jax.Array, learning_rate: float) -> tuple[jax.Array, ...]:
    # forward, loss and backward
    loss, (grad_w1, grad_w2) = jax.value_and_grad(loss_of, argnums=(0, 1))(w1, w2, x, y)
    # update
    return w1 - learning_rate * grad_w1, w2 - learning_rate * grad_w2, loss


def loss_of(w1: jax.Array, w2: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
    y_pred = jax.nn.relu(x @ w1) @ w2  # (N, D_out)
    return ((y_pred - y) ** 2).sum()  # ()


def _gpus() -> list[jax.Device]:
    try:
        return jax.devices("gpu")
    except RuntimeError:  # jax has no GPU support here
        return []
