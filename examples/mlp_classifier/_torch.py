"""What the torch steps of this folder do outside `step()`: place the data, take and give state."""

import torch

from backends._torch import TorchDevice
from backends.api import Problem, State


class TorchStep(TorchDevice):
    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        self.x = torch.tensor(problem.x, **self.placed)  # (N, D_in)
        self.y = torch.tensor(problem.y, **self.placed)  # (N, D_out)
        state = [torch.tensor(array, **self.placed) for array in problem.state.values()]
        self.weights, self.m, self.v, self.t = state[:4], state[4:8], state[8:12], state[12]
        self.learning_rate, self.epsilon = problem.learning_rate, problem.epsilon
        self.beta1, self.beta2 = problem.beta1, problem.beta2

    def tensors(self) -> list[torch.Tensor]:
        """The state in the problem's order and shapes."""
        return [*self.weights, *self.m, *self.v, self.t]

    def get_state(self) -> State:
        return [tensor.detach().to("cpu", copy=True).numpy() for tensor in self.tensors()]

    def set_state(self, *state) -> None:
        for mine, given in zip(self.tensors(), state, strict=True):
            mine.detach().copy_(torch.tensor(given))
