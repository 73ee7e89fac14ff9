"""Two-layer ReLU net, sum of squared errors, SGD. This one has ranks that add up their gradients, as one flat tensor, by hand.

The step must never update before the gradients of all ranks are in: each rank holds the weights of the whole batch.
"""

import torch
import torch.distributed as dist

from backends._torch_ranks import Place, TorchRankStep, one_thread
from backends.api import Problem


class TorchAllReduce(TorchRankStep):
    def __init__(
        self, problem: Problem, device: str, dtype: str, place: Place | None = None
    ) -> None:
        super().__init__(problem, device, dtype, place)
        sizes = (self.w1.numel(), self.w2.numel(), 1, 1)
        # gradients, loss and request in one tensor, (D_in·H + H·D_out + 2,), for one collective
        self.sums = self.w1.new_zeros(sum(sizes))
        grad_w1, grad_w2, loss, self.request = self.sums.split(sizes)
        self.grad_w1, self.grad_w2 = grad_w1.view_as(self.w1), grad_w2.view_as(self.w2)
        self.loss = loss.view(())

    @one_thread
    def step(self) -> torch.Tensor:
        # forward, of this rank's rows
        h = self.x @ self.w1  # (N, H)
        h_relu = h.clamp(min=0)  # (N, H)
        y_pred = h_relu @ self.w2  # (N, D_out)
        # loss
        torch.sum((y_pred - self.y) ** 2, dim=(0, 1), out=self.loss)  # ()
        # backward
        grad_y_pred = 2.0 * (y_pred - self.y)  # (N, D_out)
        torch.mm(h_relu.T, grad_y_pred, out=self.grad_w2)  # (H, D_out)
        grad_h_relu = grad_y_pred @ self.w2.T  # (N, H)
        grad_h = grad_h_relu.clone()  # (N, H)
        grad_h[h < 0] = 0
        torch.mm(self.x.T, grad_h, out=self.grad_w1)  # (D_in, H)
        # of all ranks: the loss is a sum over the batch, and so are its gradients
        dist.all_reduce(self.sums, group=self.group)
        self.obey()
        # update
        self.w1 -= self.learning_rate * self.grad_w1
        self.w2 -= self.learning_rate * self.grad_w2
        return self.loss.clone()

    def send(self, request: int) -> None:
        self.sums.zero_()
        self.request.fill_(request)
        dist.all_reduce(self.sums, group=self.group)
        self.request.zero_()
