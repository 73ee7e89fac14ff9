"""Two-layer ReLU net, sum of squared errors, SGD. This one is an `nn.Module` with `torch.optim.SGD`, as most people write it.

The step must never touch a weight itself: the optimizer updates, the module computes.
"""

import torch
from torch import nn
from torch.nn.utils import skip_init

from backends._torch import TorchStep
from backends.api import Problem, State


class TorchModule(TorchStep):
    options: dict[str, bool] = {}  # noqa: RUF012  # of the optimizer; torch chooses where none is given

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        (D_in, H), D_out = self.w1.shape, self.w2.shape[1]
        shapes = ((D_in, H), (H, D_out))
        first, second = (skip_init(nn.Linear, *shape, bias=False) for shape in shapes)  # leaves torch's random state alone
        self.model = nn.Sequential(first, nn.ReLU(), second).to(self.x)
        self.set_state(problem.w1, problem.w2)
        self.loss_function = nn.MSELoss(reduction="sum")
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=self.learning_rate, **self.options)

    def step(self) -> torch.Tensor:
        # forward
        y_pred = self.model(self.x)  # (N, D_out)
        # loss
        loss = self.loss_function(y_pred, self.y)  # ()
        # backward
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
