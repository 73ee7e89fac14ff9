"""Two-layer ReLU net, sum of squared errors, SGD. This one lets torch autograd compute the gradients through a ReLU of
its own, a `torch.autograd.Function`.

The mask must never come from the gradient's sign: it is the saved *input* that says where the ReLU was open.
"""

import torch

from backends._torch import TorchAutogradStep


class ReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        grad_x = grad_output.clone()
        grad_x[x < 0] = 0
        return grad_x


class TorchFunction(TorchAutogradStep):
    kind = "seed"

    def step(self) -> torch.Tensor:
        # forward
        h = self.x @ self.w1  # (N, H)
        h_relu = ReLU.apply(h)  # (N, H)
        y_pred = h_relu @ self.w2  # (N, D_out)
        # loss
        loss = ((y_pred - self.y) ** 2).sum()  # ()
        # backward
        loss.backward()
        # update
        with torch.no_grad():
            self.w1 -= self.learning_rate * self.w1.grad
            self.w2 -= self.learning_rate * self.w2.grad
            self.w1.grad.zero_()
            self.w2.grad.zero_()
        return loss.detach()
