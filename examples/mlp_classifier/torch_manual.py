"""Classifier with one hidden layer, cross-entropy, Adam. This one uses torch tensors and computes
every gradient by hand.
"""

import torch
from _torch import TorchStep


class TorchManual(TorchStep):
    kind = "seed"

    def step(self) -> torch.Tensor:
        w1, b1, w2, b2 = self.weights
        # forward
        h = self.x @ w1 + b1  # (N, H)
        h_relu = h.clamp(min=0)  # (N, H)
        scores = h_relu @ w2 + b2  # (N, D_out)
        # loss
        shifted = scores - scores.amax(dim=1, keepdim=True)  # (N, D_out)
        log_p = shifted - torch.log(torch.exp(shifted).sum(dim=1, keepdim=True))  # (N, D_out)
        loss = -(self.y * log_p).sum() / len(self.x)  # ()
        # backward
        grad_scores = (torch.exp(log_p) - self.y) / len(self.x)  # (N, D_out)
        grad_w2 = h_relu.T @ grad_scores  # (H, D_out)
        grad_b2 = grad_scores.sum(dim=0)  # (D_out,)
        grad_h = grad_scores @ w2.T  # (N, H)
        grad_h[h < 0] = 0
        grad_w1 = self.x.T @ grad_h  # (D_in, H)
        grad_b1 = grad_h.sum(dim=0)  # (H,)
        # update
        grads = [grad_w1, grad_b1, grad_w2, grad_b2]
        self.t += 1
        for w, m, v, grad in zip(self.weights, self.m, self.v, grads, strict=True):
            m += (1 - self.beta1) * (grad - m)
            v += (1 - self.beta2) * (grad * grad - v)
            m_hat = m / (1 - self.beta1**self.t)
            v_hat = v / (1 - self.beta2**self.t)
            w -= self.learning_rate * m_hat / (torch.sqrt(v_hat) + self.epsilon)
        return loss
