"""Two-layer ReLU net, sum of squared errors, SGD. This one uses torch by hand and writes into memory it keeps.

The step must never build a gradient of a weight: `addmm_` adds it to the weight as it is computed.
"""

import torch

from backends._torch import TorchStep
from backends.api import Problem


class TorchBuffers(TorchStep):
    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        self.h = self.x @ self.w1  # (N, H)
        self.h_relu, self.grad_h = torch.empty_like(self.h), torch.empty_like(self.h)  # (N, H)
        self.active = torch.empty_like(self.h, dtype=torch.bool)  # (N, H)
        self.error = torch.empty_like(self.y)  # (N, D_out)

    @torch.inference_mode()
    def step(self) -> torch.Tensor:
        # forward
        torch.mm(self.x, self.w1, out=self.h)  # (N, H)
        torch.clamp(self.h, min=0, out=self.h_relu)  # (N, H)
        torch.mm(self.h_relu, self.w2, out=self.error)  # (N, D_out), y_pred for now
        # loss
        self.error.sub_(self.y)  # (N, D_out)
        loss = torch.dot(self.error.view(-1), self.error.view(-1))  # ()
        # backward, up to the factor 2 of the square
        torch.mm(self.error, self.w2.T, out=self.grad_h)  # (N, H)
        torch.ge(self.h, 0, out=self.active)
        self.grad_h.mul_(self.active)
        # backward and update
        self.w1.addmm_(self.x.T, self.grad_h, alpha=-2.0 * self.learning_rate)  # (D_in, H)
        self.w2.addmm_(self.h_relu.T, self.error, alpha=-2.0 * self.learning_rate)  # (H, D_out)
        return loss
