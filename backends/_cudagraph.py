"""What turns a torch step into one CUDA graph: it is captured once, and replayed as a whole.

A replay must never see another tensor than the capture saw: data, buffers and weights stay where they are.
"""

import torch

from backends._torch import TorchStep
from backends.api import Problem

WARM_UP = 3


class CapturedStep(TorchStep):
    """To be named before the step that is to be captured: `class Mine(CapturedStep, Theirs)`."""

    devices = ("cuda",)

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        with torch.cuda.device(self.x.device):
            self.graph = torch.cuda.CUDAGraph()
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):  # libraries compile and set up their workspaces, which a capture may not
                for _ in range(WARM_UP):
                    super().step()
            torch.cuda.current_stream().wait_stream(side)
            with torch.cuda.graph(self.graph):
                for _ in range(self.steps_per_call):
                    self.loss = super().step()
        self.set_state(problem.w1, problem.w2)

    def step(self) -> torch.Tensor:
        self.graph.replay()
        return self.loss
