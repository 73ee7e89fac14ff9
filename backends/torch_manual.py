"""Two-layer ReLU net, sum of squared errors, SGD. This one uses torch tensors and computes every gradient by hand.

The step must never use autograd: its weights do not require gradients.
"""

import torch

from backends._torch import TorchStep


class TorchManual(TorchStep):
    kind = "seed"

    def step(self) -> torch.Tensor:
        # forward
        h = self.x @ self.w1  # (N, H)
        h_relu = h.clamp(min=0)  # (N, H)
        y_pred = h_relu @ self.w2  # (N, D_out)
        # loss
        loss = ((y_pred - self.y) ** 2).sum()  # ()
        # backward
        grad_y_pred = 2.0 * (y_pred - self.y)  # (N, D_out)
        grad_w2 = h_relu.T @ grad_y_pred  # (H, D_out)
        grad_h_relu = grad_y_pred @ self.w2.T  # (N, H)
        grad_h = grad_h_relu.clone()  # (N, H)
        grad_h[h < 0] = 0
        grad_w1 = self.x.T @ grad_h  # (D_in, H)
        # update
        self.w1 -= self.learning_rate * grad_w1
        self.w2 -= self.learning_rate * grad_w2
        return loss
