"""Two-layer ReLU net, sum of squared errors, SGD. This one transforms a pure loss with `torch.func.grad_and_value`.

The loss must never read anything but its arguments: what is differentiated is a function, not a recorded history.
"""

import torch
from torch.func import grad_and_value

from backends._torch import TorchStep
from backends.api import Problem


class TorchFunc(TorchStep):
    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        self.gradients_and_loss = grad_and_value(loss_of, argnums=(0, 1))

    def step(self) -> torch.Tensor:
        # forward, loss and backward
        (grad_w1, grad_w2), loss = self.gradients_and_loss(self.w1, self.w2, self.x, self.y)
        # update
        self.w1 -= self.learning_rate * grad_w1
        self.w2 -= self.learning_rate * grad_w2
        return loss


def loss_of(w1: torch.Tensor, w2: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    y_pred = (x @ w1).clamp(min=0) @ w2  # (N, D_out)
    return ((y_pred - y) ** 2).sum()  # ()
