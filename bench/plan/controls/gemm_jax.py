"""The ceiling of arithmetic through XLA: one large square product, in cache on a CPU, large enough to fill a GPU.

It must never do anything that is not counted in its floating-point operations.
"""

import jax
import numpy as np

from backends._jax import JaxStep
from backends.api import Problem


class GemmJax(JaxStep):
    kind = "ceiling"

    @classmethod
    def work(cls, device: str, dtype: str) -> tuple[int, int]:
        return 2 * _size(device) ** 3, 0

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        a = np.random.default_rng(0).standard_normal((_size(device), _size(device))).astype(dtype)
        self.a, self.b = jax.device_put(a, self.device), jax.device_put(a.T.copy(), self.device)
        self.product = jax.jit(product)
        self.c, _ = self.product(self.a, self.b)

    def step(self) -> jax.Array:
        self.c, corner = self.product(self.a, self.b)
        return corner

    def synchronize(self) -> None:
        self.c.block_until_ready()


def product(a: jax.Array, b: jax.Array) -> tuple[jax.Array, jax.Array]:
    c = a @ b
    return c, c[0, 0]


def _size(device: str) -> int:
    return 256 if device == "cpu" else 2048
