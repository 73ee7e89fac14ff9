"""What the torch steps of this folder do outside `step()`: place the data, take and give weights."""

import torch

from backends._torch import TorchDevice
from backends.api import Problem, State


class TorchStep(TorchDevice):
    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        self.x = torch.tensor(problem.x, **self.placed)  # (N, T, D)
        self.y = torch.tensor(problem.y, **self.placed)  # (N, T, D)
        self.weights = [torch.tensor(array, **self.placed) for array in problem.state.values()]
        self.learning_rate = problem.learning_rate

    def get_state(self) -> State:
        return [w.detach().to("cpu", copy=True).contiguous().numpy() for w in self.weights]

    def set_state(self, *state) -> None:
        for w, given in zip(self.weights, state, strict=True):
            w.detach().copy_(torch.tensor(given))
