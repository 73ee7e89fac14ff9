"""Two-layer ReLU net, sum of squared errors, SGD. This one keeps torch's buffers and weights the way the kernels like them.

State lie transposed, hidden units in rows, so that the large products read contiguous memory. They go in and out in the
usual layout, which the step must never see.
"""

import torch

from backends._torch import TorchStep
from backends.api import Problem, State


class TorchTransposed(TorchStep):
    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        self.x_t, self.y_t = self.x.T.contiguous(), self.y.T.contiguous()  # (D_in, N), (D_out, N)
        self.w1_t, self.w2_t = self.w1.T.contiguous(), self.w2.T.contiguous()  # (H, D_in), (D_out, H)
        self.h = self.w1_t @ self.x_t  # (H, N)
        self.h_relu, self.grad_h = torch.empty_like(self.h), torch.empty_like(self.h)  # (H, N)
        self.active = torch.empty_like(self.h, dtype=torch.bool)  # (H, N)
        self.error = torch.empty_like(self.y_t)  # (D_out, N)

    @torch.inference_mode()
    def step(self) -> torch.Tensor:
        # forward
        torch.mm(self.w1_t, self.x_t, out=self.h)  # (H, N)
        torch.clamp(self.h, min=0, out=self.h_relu)  # (H, N)
        torch.mm(self.w2_t, self.h_relu, out=self.error)  # (D_out, N), y_pred for now
        # loss
        self.error.sub_(self.y_t)  # (D_out, N)
        loss = torch.dot(self.error.view(-1), self.error.view(-1))  # ()
        # backward, up to the factor 2 of the square
        torch.mm(self.w2_t.T, self.error, out=self.grad_h)  # (H, N)
        torch.ge(self.h, 0, out=self.active)
        self.grad_h.mul_(self.active)
        # backward and update
        self.w1_t.addmm_(self.grad_h, self.x, alpha=-2.0 * self.learning_rate)  # (H, D_in)
        self.w2_t.addmm_(self.error, self.h_relu.T, alpha=-2.0 * self.learning_rate)  # (D_out, H)
        return loss

    def get_state(self) -> State:
        w1, w2 = (w.T.to("cpu", copy=True).contiguous().numpy() for w in (self.w1_t, self.w2_t))
        return w1, w2

    def set_state(self, w1, w2) -> None:
        self.w1_t.copy_(torch.tensor(w1).T)
        self.w2_t.copy_(torch.tensor(w2).T)
