"""The collective of a data-parallel step alone: as many numbers as the default problem has gradients, added up over all ranks.

It must never compute anything else: what a step takes beside it and its own work is the price of doing both.
"""

import torch
import torch.distributed as dist

from backends._torch_ranks import TorchRankStep
from backends.api import Problem


class AllReduceTorch(TorchRankStep):
    kind = "collective"

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        fixed = Problem.random()
        self.grads = self.w1.new_zeros(fixed.w1.size + fixed.w2.size)
        self.zero = self.w1.new_zeros(())

    def step(self) -> torch.Tensor:
        dist.all_reduce(self.grads)
        return self.zero
