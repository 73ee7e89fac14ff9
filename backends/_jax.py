"""What every JAX backend does outside its step: place the data, hand the weights in and out, wait for the device.

Nothing here may run inside `step()`. float64 would need a switch for the whole process, so there is float32 only.
"""

import re

import jax
import numpy as np

from backends.api import Problem, State, TrainStep


class JaxStep(TrainStep):
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
        self.set_state(problem.w1.astype(dtype), problem.w2.astype(dtype))
        self.learning_rate = problem.learning_rate

    def get_state(self) -> State:
        return np.array(self.w1), np.array(self.w2)

    def set_state(self, w1, w2) -> None:
        self.w1, self.w2 = (jax.device_put(w.copy(), self.device) for w in (w1, w2))

    def synchronize(self) -> None:
        jax.block_until_ready((self.w1, self.w2))


def operators(hlo: str) -> int:
    """Instructions of a compiled program that compute something, a fusion counted as one."""
    inner = set(re.findall(r"calls=%([\w.-]+)", hlo))  # what a fusion consists of
    computations = re.findall(r"^(?:ENTRY )?%([\w.-]+) .*?\{\n(.*?)^\}", hlo, re.MULTILINE | re.DOTALL)
    outer = "".join(body for name, body in computations if name not in inner)
    return len(re.findall(r" (?:fusion|dot|copy|custom-call|reduce)\(", outer))


def _gpus() -> list[jax.Device]:
    try:
        return jax.devices("gpu")
    except RuntimeError:  # jax has no GPU support here
        return []
