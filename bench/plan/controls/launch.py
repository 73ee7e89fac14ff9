"""What a launch on CUDA costs at least: one kernel over one number; the latency adds a wait and a fetch."""

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
