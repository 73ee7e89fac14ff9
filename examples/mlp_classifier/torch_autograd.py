"""Classifier with one hidden layer, cross-entropy, Adam. This one lets torch autograd compute the
gradients.
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

    def step(self) -> torch.Tensor:
        w1, b1, w2, b2 = self.weights
        # forward
        h = self.x @ w1 + b1  # (N, H)
        h_relu = h.clamp(min=0)  # (N, H)
        scores = h_relu @ w2 + b2  # (N, D_out)
        # loss
        log_p = torch.log_softmax(scores, dim=1)  # (N, D_out)
        loss = -(self.y * log_p).sum() / len(self.x)  # ()
        # backward
        loss.backward()
        # update
        with torch.no_grad():
            self.t += 1
            for w, m, v in zip(self.weights, self.m, self.v, strict=True):
                m += (1 - self.beta1) * (w.grad - m)
                v += (1 - self.beta2) * (w.grad * w.grad - v)
                m_hat = m / (1 - self.beta1**self.t)
                v_hat = v / (1 - self.beta2**self.t)
                w -= self.learning_rate * m_hat / (torch.sqrt(v_hat) + self.epsilon)
                w.grad.zero_()
        return loss.detach()
