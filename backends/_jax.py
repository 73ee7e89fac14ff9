"""What JAX steps do outside `step()`: where they can run, place data, take and give weights, wait.

`JaxDevice` knows no problem; steps of other problem folders build on it too. float64 would need a
switch for the whole process, so there is float32 only.
"""

import jax
import numpy as np

from backends.api import Problem, State, TrainStep


class JaxDevice(TrainStep):
    """A step on a device of JAX; `place` puts an array there."""

    devices = ("cpu", "cuda")
    dtypes = ("float32",)
    libraries = ("jax", "jaxlib")

    @classmethod
    def why_not(cls, device: str, dtype: str) -> str | None:
        reason = super().why_not(device, dtype)
        if reason or device == "cpu":
            return reason
        index, found = int(device.partition(":")[2] or 0), len(_gpus())
        return None if index < found else f"finds {found} GPUs with jax {jax.__version__}, not {device}"

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        kind, _, index = device.partition(":")
        self.device = (jax.devices("cpu") if kind == "cpu" else _gpus())[int(index or 0)]

    def is_compiled(self) -> bool:
        return not jax.config.jax_disable_jit

    def place(self, array: np.ndarray) -> jax.Array:
        """A copy on the device."""
        return jax.device_put(np.array(array, "float32"), self.device)


class JaxStep(JaxDevice):
    """The default problem's data and weights as JAX arrays."""

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        self.x, self.y = self.place(problem.x), self.place(problem.y)
        self.set_state(problem.w1, problem.w2)
        self.learning_rate = problem.learning_rate

    def get_state(self) -> State:
        return np.array(self.w1), np.array(self.w2)

    def set_state(self, w1, w2) -> None:
        self.w1, self.w2 = self.place(w1), self.place(w2)

    def synchronize(self) -> None:
        jax.block_until_ready((self.w1, self.w2))


def _gpus() -> list[jax.Device]:
    try:
        return jax.devices("gpu")
    except RuntimeError:  # jax has no GPU support here
        return []
