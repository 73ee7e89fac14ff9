"""Two-layer ReLU net, sum of squared errors, SGD. This one is `torch_transposed` with as little asked of torch as will do.

x lies in memory once and is read either way, the ReLU works in place and its mask is the sign of what it leaves, and views are
made beforehand. Its weights must never require a gradient: to enter a mode that records none takes longer than it saves.
"""

import torch

from backends._torch import TorchStep
from backends.api import Problem


class TorchLean(TorchStep):
    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        self.x_t, self.y_t = self.x.T, self.y.T.contiguous()  # (D_in, N), a view, (D_out, N)
        self.w1_t, self.w2_t = self.w1.T.contiguous(), self.w2.T.contiguous()  # (H, D_in), (D_out, H)
        self.w1, self.w2 = self.w1_t.T, self.w2_t.T  # (D_in, H), (H, D_out), views, by which weights go in and out
        self.h_relu = self.w1_t @ self.x_t  # (H, N)
        self.h_relu_t, self.grad_h = self.h_relu.T, torch.empty_like(self.h_relu)  # (N, H), a view, (H, N)
        self.error = torch.empty_like(self.y_t)  # (D_out, N)
        self.errors = self.error.view(-1)  # (D_out * N,), a view

    def step(self) -> torch.Tensor:
        # forward
        torch.mm(self.w1_t, self.x_t, out=self.h_relu)  # (H, N), h for now
        self.h_relu.relu_()  # (H, N)
        torch.mm(self.w2_t, self.h_relu, out=self.error)  # (D_out, N), y_pred for now
        # loss
        self.error.sub_(self.y_t)  # (D_out, N)
        loss = torch.dot(self.errors, self.errors)  # ()
        # backward, up to the factor 2 of the square
        torch.mm(self.w2, self.error, out=self.grad_h)  # (H, N)
        # backward and update
        self.w2_t.addmm_(self.error, self.h_relu_t, alpha=-2.0 * self.learning_rate)  # (D_out, H)
        self.grad_h.mul_(self.h_relu.sign_())  # (H, N), 1 where the ReLU was open
        self.w1_t.addmm_(self.grad_h, self.x, alpha=-2.0 * self.learning_rate)  # (H, D_in)
        return loss
