"""Linear regression. This one lets torch autograd compute the gradients."""

import torch

from backends._torch import TorchDevice
from backends.api import Problem, State


class TorchAutograd(TorchDevice):
    kind = "seed"

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        self.x = torch.tensor(problem.x, **self.placed)  # (N, D)
        self.y = torch.tensor(problem.y, **self.placed)  # (N,)
        self.w = torch.tensor(problem.w, **self.placed, requires_grad=True)  # (D,)
        self.b = torch.tensor(problem.b, **self.placed, requires_grad=True)  # (1,)
        self.learning_rate = problem.learning_rate

    def step(self) -> torch.Tensor:
        # forward
        error = self.x @ self.w + self.b - self.y  # (N,)
        # loss
        loss = (error**2).sum() / len(self.y)  # ()
        # backward
        loss.backward()
        # update
        with torch.no_grad():
            self.w -= self.learning_rate * self.w.grad
            self.b -= self.learning_rate * self.b.grad
            self.w.grad.zero_()
            self.b.grad.zero_()
        return loss.detach()

    def get_state(self) -> State:
        w, b = (tensor.detach().to("cpu", copy=True).numpy() for tensor in (self.w, self.b))
        return w, b

    def set_state(self, w, b) -> None:
        self.w.detach().copy_(torch.tensor(w))
        self.b.detach().copy_(torch.tensor(b))
