"""The ceiling of memory traffic through torch: a copy, in cache on a CPU as a training loop's weights are, in HBM on a GPU.

It must never do anything that is not counted in its bytes.
"""

import torch

from backends._torch import TorchStep
from backends.api import Problem


class CopyTorch(TorchStep):
    kind = "ceiling"
    dtypes = ("float32", "float64", "bfloat16")

    @classmethod
    def work(cls, device: str, dtype: str) -> tuple[int, int]:
        return 0, 2 * _bytes(device)

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        self.a = torch.ones(_bytes(device) // 4, device=device)
        self.b = torch.empty_like(self.a)
        self.zero = torch.zeros((), device=device)

    def step(self) -> torch.Tensor:
        self.b.copy_(self.a)
        return self.zero


def _bytes(device: str) -> int:
    """400 kB is what the default problem's larger weight takes."""
    return 400_000 if device == "cpu" else 256_000_000
