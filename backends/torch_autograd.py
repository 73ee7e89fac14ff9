"""Two-layer ReLU net, sum of squared errors, SGD. This one lets torch autograd compute the gradients.

The update must never be recorded: it runs under `torch.no_grad()`, and the gradients are zeroed after it.
"""

import torch

from backends._torch import TorchAutogradStep


class TorchAutograd(TorchAutogradStep):
    kind = "seed"

    def step(self) -> torch.Tensor:
        # forward
        h = self.x @ self.w1  # (N, H)
        h_relu = h.clamp(min=0)  # (N, H)
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
