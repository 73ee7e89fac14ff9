"""One head of causal self-attention, residual, layer norm, SGD. This one is an `nn.Module` with
`scaled_dot_product_attention` and `torch.optim.SGD`, as most people write it.
"""

import torch
from _torch import TorchStep
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from torch.nn.utils import skip_init

from backends.api import Problem


class Attention(nn.Module):
    def __init__(self, D: int) -> None:
        super().__init__()
        self.q, self.k, self.v, self.o = (skip_init(nn.Linear, D, D, bias=False) for _ in range(4))
        self.norm = nn.LayerNorm(D, eps=1e-5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.q(x), self.k(x), self.v(x)  # (N, T, D)
        context = scaled_dot_product_attention(q, k, v, is_causal=True)  # (N, T, D)
        return self.norm(x + self.o(context))  # (N, T, D)


class TorchModule(TorchStep):
    kind = "seed"

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        self.model = Attention(self.x.shape[2]).to(self.x)
        self.loss_function = nn.MSELoss(reduction="sum")
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=self.learning_rate)
        # nn.Linear keeps its weights transposed
        self.weights = [w.mT if w.ndim == 2 else w for w in self.model.parameters()]
        self.set_state(*problem.state.values())

    def step(self) -> torch.Tensor:
        # forward
        out = self.model(self.x)  # (N, T, D)
        # loss
        loss = self.loss_function(out, self.y) / out[..., 0].numel()  # ()
        # backward
        self.optimizer.zero_grad()
        loss.backward()
        # update
        self.optimizer.step()
        return loss.detach()
