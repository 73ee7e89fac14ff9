"""Classifier with one hidden layer, cross-entropy, Adam. This one hands the whole step to
`torch.compile`, in its default mode.
"""

import torch
from _torch import TorchStep
from torch.func import grad_and_value

from backends._torch import compiles
from backends.api import Problem

torch.compiler.config.recompile_limit = 64  # one version of `whole_step` for each shape and dtype


class TorchCompile(TorchStep):
    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        self.compiled = torch.compile(whole_step, fullgraph=True, dynamic=False)
        self.constants = self.learning_rate, self.beta1, self.beta2, self.epsilon

    def step(self) -> torch.Tensor:
        state = self.weights, self.m, self.v, self.t
        return self.compiled(*state, self.x, self.y, *self.constants)

    def is_compiled(self) -> bool:
        return compiles()


def whole_step(weights, m, v, t, x, y, learning_rate, beta1, beta2, epsilon) -> torch.Tensor:
    # forward, loss and backward
    grads, loss = grad_and_value(loss_of)(weights, x, y)
    # update
    t += 1
    for i, grad in enumerate(grads):
        m[i] += (1 - beta1) * (grad - m[i])
        v[i] += (1 - beta2) * (grad * grad - v[i])
        m_hat = m[i] / (1 - beta1**t)
        v_hat = v[i] / (1 - beta2**t)
        weights[i] -= learning_rate * m_hat / (torch.sqrt(v_hat) + epsilon)
    return loss


def loss_of(weights: list[torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    w1, b1, w2, b2 = weights
    scores = (x @ w1 + b1).clamp(min=0) @ w2 + b2  # (N, D_out)
    return -(y * torch.log_softmax(scores, dim=1)).sum() / len(x)  # ()
