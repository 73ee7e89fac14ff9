"""Two-layer ReLU net, sum of squared errors, SGD. This one lets torch autograd compute the gradients and updates
through `detach()`, the idiom from before `torch.no_grad()`.

The update must never be recorded: a detached tensor shares its data with the weight, and not its history.
"""

import torch

from backends._torch import TorchAutogradStep


class TorchDetach(TorchAutogradStep):
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
        self.w1.detach().sub_(self.learning_rate * self.w1.grad)
        self.w2.detach().sub_(self.learning_rate * self.w2.grad)
        self.w1.grad.zero_()
        self.w2.grad.zero_()
        return loss.detach()
