"""Two-layer ReLU net, sum of squared errors, SGD. This one hands the whole step to `torch.compile`, in its default mode.

The compiled function must never fall back to eager code: `fullgraph=True` raises where it would.
"""

import torch
from torch.func import grad_and_value

from backends._torch import TorchStep, compiles
from backends.api import Problem
from backends.torch_func import loss_of

torch.compiler.config.recompile_limit = 64  # each shape and dtype of a process is one more version of `whole_step`


class TorchCompile(TorchStep):
    mode: str | None = None  # torch's default

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        self.compiled = torch.compile(whole_step, fullgraph=True, dynamic=False, mode=self.mode)

    def step(self) -> torch.Tensor:
        return self.compiled(self.w1, self.w2, self.x, self.y, self.learning_rate)

    def is_compiled(self) -> bool:
        return compiles()


def whole_step(w1: torch.Tensor, w2: torch.Tensor, x: torch.Tensor, y: torch.Tensor, learning_rate: float) -> torch.Tensor:
    # forward, loss and backward
    (grad_w1, grad_w2), loss = grad_and_value(loss_of, argnums=(0, 1))(w1, w2, x, y)
    # update
    w1 -= learning_rate * grad_w1
    w2 -= learning_rate * grad_w2
    return loss
