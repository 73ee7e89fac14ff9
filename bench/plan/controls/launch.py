"""The floor of a launch on CUDA: one kernel over one number.

Its throughput is what a queued launch costs; its latency adds a wait and the fetch of one number. It must never do work
that a device could take time for.
"""

import torch

from backends._torch import TorchStep
from backends.api import Problem


class Launch(TorchStep):
    kind = "control"
    devices = ("cuda",)

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        self.count = torch.zeros((), device=device)

    def step(self) -> torch.Tensor:
        return self.count.add_(1)
