"""Two-layer ReLU net, sum of squared errors, SGD. This one is `torch_autograd` under `torch.autocast`: products in bfloat16,
weights, loss and update in float32.

The backward pass must never run under autocast: it takes the dtypes that the forward pass recorded.
"""

import torch

from backends._torch import TorchAutogradStep


class TorchAutocast(TorchAutogradStep):
    dtypes = ("bfloat16",)

    def step(self) -> torch.Tensor:
        with torch.autocast(self.x.device.type, torch.bfloat16):
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
