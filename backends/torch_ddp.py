"""Two-layer ReLU net, sum of squared errors, SGD. This one is an `nn.Module` in `DistributedDataParallel`, a rank a part.

The step must never reduce a gradient itself: the wrapper does while autograd runs, and takes the mean over the ranks.
"""

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import skip_init

from backends._torch_ranks import TorchRankStep
from backends.api import Problem, State


class TorchDdp(TorchRankStep):
    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        (D_in, H), D_out = self.w1.shape, self.w2.shape[1]
        shapes = ((D_in, H), (H, D_out))
        first, second = (skip_init(nn.Linear, *shape, bias=False) for shape in shapes)  # leaves torch's random state alone
        self.model = DistributedDataParallel(nn.Sequential(first, nn.ReLU(), second).to(self.x))
        self.set_state(problem.w1, problem.w2)
        self.loss_function = nn.MSELoss(reduction="sum")
        # the loss is a sum over the batch, so the mean over the ranks is too small by their number
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=dist.get_world_size() * self.learning_rate)

    def step(self) -> torch.Tensor:
        # forward, of this rank's rows
        y_pred = self.model(self.x)  # (N, D_out)
        # loss
        loss = self.loss_function(y_pred, self.y)  # ()
        # backward, and the mean over the ranks
        self.optimizer.zero_grad()
        loss.backward()
        # update
        self.optimizer.step()
        return loss.detach()

    def get_state(self) -> State:
        w1, w2 = (w.detach().T.to("cpu", copy=True).contiguous().numpy() for w in self.model.parameters())
        return w1, w2

    def set_state(self, w1, w2) -> None:
        for parameter, w in zip(self.model.parameters(), (w1, w2), strict=True):
            parameter.detach().copy_(torch.tensor(w).T)
