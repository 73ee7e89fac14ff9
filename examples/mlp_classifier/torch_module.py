"""Classifier with one hidden layer, cross-entropy, Adam. This one is an `nn.Module` with
`torch.optim.Adam`, as most people write it.
"""

import torch
from _torch import TorchStep
from torch import nn
from torch.nn.utils import skip_init

from backends.api import Problem


class TorchModule(TorchStep):
    kind = "seed"

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        (D_in, H), D_out = problem.w1.shape, problem.w2.shape[1]
        first, second = skip_init(nn.Linear, D_in, H), skip_init(nn.Linear, H, D_out)
        self.model = nn.Sequential(first, nn.ReLU(), second).to(self.x)
        self.loss_function = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.Adam(
            self.model.parameters(),
            lr=self.learning_rate,
            betas=(self.beta1, self.beta2),
            eps=self.epsilon,
        )
        for w in self.model.parameters():
            m, v = torch.empty_like(w), torch.empty_like(w)
            t = torch.tensor(0.0, dtype=w.dtype)
            self.optimizer.state[w] = {"step": t, "exp_avg": m, "exp_avg_sq": v}
        self.set_state(*problem.state.values())

    def step(self) -> torch.Tensor:
        # forward
        scores = self.model(self.x)  # (N, D_out)
        # loss
        loss = self.loss_function(scores, self.y)  # ()
        # backward
        self.optimizer.zero_grad()
        loss.backward()
        # update
        self.optimizer.step()
        return loss.detach()

    def tensors(self) -> list[torch.Tensor]:
        """nn.Linear keeps its weights transposed, and the optimizer their moments."""
        weights = list(self.model.parameters())
        kept = [self.optimizer.state[w] for w in weights]
        m, v = ([each[name] for each in kept] for name in ("exp_avg", "exp_avg_sq"))
        return [
            *(tensor.mT if tensor.ndim == 2 else tensor for tensor in (*weights, *m, *v)),
            kept[0]["step"],
        ]

    def set_state(self, *state) -> None:
        super().set_state(*state)
        for kept in self.optimizer.state.values():
            kept["step"].copy_(torch.tensor(state[-1]))
