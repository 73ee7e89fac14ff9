"""Two-layer ReLU net, sum of squared errors, SGD. This one is an `nn.Module` in `DistributedDataParallel`, a rank a part.

The step must never reduce a gradient itself: the wrapper does while autograd runs, and takes the mean over the ranks.
"""

from collections.abc import Sequence

import torch
import torch._dynamo  # the optimizer imports it when it is constructed, which takes each rank a second
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import skip_init

from backends._torch_ranks import Place, TorchRankStep, one_thread
from backends.api import Problem


class TorchDdp(TorchRankStep):
    def __init__(
        self, problem: Problem, device: str, dtype: str, place: Place | None = None
    ) -> None:
        super().__init__(problem, device, dtype, place)
        (D_in, H), D_out = self.w1.shape, self.w2.shape[1]
        shapes = ((D_in, H), (H, D_out))
        # leaves torch's random state alone
        first, second = (skip_init(nn.Linear, *shape, bias=False) for shape in shapes)
        model = nn.Sequential(first, nn.ReLU(), second).to(self.x)
        for layer, w in ((first, self.w1), (second, self.w2)):
            layer.weight.detach().copy_(w.T)
        # views, by which weights go in and out
        self.w1, self.w2 = first.weight.detach().T, second.weight.detach().T
        # a parameter that no layer has: its gradient carries the loss and the request
        self.extra = nn.Parameter(self.x.new_zeros(2))
        model.register_parameter("extra", self.extra)
        self.own = self.x.new_zeros(2)
        self.own_loss, self.own_request = self.own
        self.model = DistributedDataParallel(model, process_group=self.group)
        self.loss_function = nn.MSELoss(reduction="sum")
        # the loss is a sum over the batch, so the mean over the ranks is too small by their number
        self.optimizer = torch.optim.SGD(
            (first.weight, second.weight), lr=self.ranks * self.learning_rate
        )

    @one_thread
    def step(self) -> torch.Tensor:
        # forward, of this rank's rows
        y_pred = self.model(self.x)  # (N, D_out)
        # loss
        loss = self.loss_function(y_pred, self.y)  # ()
        torch.mul(loss.detach(), self.ranks, out=self.own_loss)  # its mean is the batch's loss
        # backward, and the mean over the ranks
        self.model.zero_grad()
        torch.autograd.backward((loss, self.extra), (None, self.own))
        self.obey()
        # update
        self.optimizer.step()
        return self.extra.grad[0]

    @property
    def request(self) -> torch.Tensor:
        return self.extra.grad[1]

    def send(self, request: int) -> None:
        self.own_request.fill_(self.ranks * request)
        self.model.zero_grad()
        torch.autograd.backward((self.model(self.x[:0]).sum(), self.extra), (None, self.own))
        self.own_request.zero_()

    def trained(self) -> Sequence[torch.Tensor]:
        return self.w1.T, self.w2.T
