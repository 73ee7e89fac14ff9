"""The ceiling of arithmetic through torch: one large square product, in cache on a CPU, large enough to fill a GPU.

It must never do anything that is not counted in its floating-point operations.
"""

import numpy as np
import torch

from backends._torch import TorchStep
from backends.api import Problem


class GemmTorch(TorchStep):
    kind = "ceiling"
    dtypes = ("float32", "float64", "bfloat16")

    @classmethod
    def work(cls, device: str, dtype: str) -> tuple[int, int]:
        return 2 * _size(device) ** 3, 0

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        square = np.random.default_rng(0).standard_normal((_size(device), _size(device)))
        self.a = torch.tensor(square, device=device, dtype=getattr(torch, dtype))
        self.b, self.c = self.a.T.contiguous(), torch.empty_like(self.a)
        self.zero = torch.zeros((), device=device)

    def step(self) -> torch.Tensor:
        torch.mm(self.a, self.b, out=self.c)
        return self.zero


def _size(device: str) -> int:
    return 256 if device == "cpu" else 2048
