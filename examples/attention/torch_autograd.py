"""One head of causal self-attention, residual, layer norm, SGD. This one lets torch autograd
compute the gradients.
"""

import torch
from _torch import TorchStep

from backends.api import Problem


class TorchAutograd(TorchStep):
    kind = "seed"

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        for w in self.weights:
            w.requires_grad_()
        T = self.x.shape[1]
        self.later = torch.ones(T, T, dtype=torch.bool, device=self.device).triu(1)  # (T, T)
        self.scale = self.x.shape[2] ** -0.5

    def step(self) -> torch.Tensor:
        x, (w_q, w_k, w_v, w_o, gain, bias) = self.x, self.weights
        N, T, _ = x.shape
        # forward: attention
        q, k, v = x @ w_q, x @ w_k, x @ w_v  # (N, T, D)
        scores = self.scale * (q @ k.transpose(1, 2))  # (N, T, T)
        p = scores.masked_fill(self.later, -torch.inf).softmax(dim=2)  # (N, T, T)
        context = p @ v  # (N, T, D)
        # forward: residual and layer norm
        z = x + context @ w_o  # (N, T, D)
        centered = z - z.mean(dim=2, keepdim=True)  # (N, T, D)
        deviation = torch.sqrt((centered**2).mean(dim=2, keepdim=True) + 1e-5)  # (N, T, 1)
        out = gain * (centered / deviation) + bias  # (N, T, D)
        # loss
        loss = ((out - self.y) ** 2).sum() / (N * T)  # ()
        # backward
        loss.backward()
        # update
        with torch.no_grad():
            for w in self.weights:
                w -= self.learning_rate * w.grad
                w.grad.zero_()
        return loss.detach()
