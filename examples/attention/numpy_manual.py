"""One head of causal self-attention, residual, layer norm, SGD. This one uses NumPy and computes
every gradient by hand.
"""

import numpy as np

from backends.api import Problem, State, TrainStep


class NumpyManual(TrainStep):
    kind = "seed"

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        self.x = problem.x.astype(dtype)  # (N, T, D)
        self.y = problem.y.astype(dtype)  # (N, T, D)
        self.weights = [array.astype(dtype) for array in problem.state.values()]
        self.learning_rate = problem.learning_rate
        self.later = ~np.tri(self.x.shape[1], dtype=bool)  # (T, T)
        self.scale = self.x.shape[2] ** -0.5

    def step(self) -> np.floating:
        x, (w_q, w_k, w_v, w_o, gain, bias) = self.x, self.weights
        N, T, _ = x.shape
        # forward: attention
        q, k, v = x @ w_q, x @ w_k, x @ w_v  # (N, T, D)
        scores = self.scale * (q @ k.swapaxes(1, 2))  # (N, T, T)
        scores[:, self.later] = -np.inf
        p = np.exp(scores - scores.max(axis=2, keepdims=True))  # (N, T, T)
        p /= p.sum(axis=2, keepdims=True)
        context = p @ v  # (N, T, D)
        # forward: residual and layer norm
        z = x + context @ w_o  # (N, T, D)
        centered = z - z.mean(axis=2, keepdims=True)  # (N, T, D)
        deviation = np.sqrt((centered**2).mean(axis=2, keepdims=True) + 1e-5)  # (N, T, 1)
        z_hat = centered / deviation  # (N, T, D)
        out = gain * z_hat + bias  # (N, T, D)
        # loss
        loss = ((out - self.y) ** 2).sum() / (N * T)  # ()
        # backward: layer norm
        grad_out = 2.0 * (out - self.y) / (N * T)  # (N, T, D)
        grad_gain = (grad_out * z_hat).sum(axis=(0, 1))  # (D,)
        grad_bias = grad_out.sum(axis=(0, 1))  # (D,)
        grad_z_hat = grad_out * gain  # (N, T, D)
        along = (grad_z_hat * z_hat).mean(axis=2, keepdims=True)  # (N, T, 1)
        grad_z = grad_z_hat - grad_z_hat.mean(axis=2, keepdims=True) - z_hat * along  # (N, T, D)
        grad_z /= deviation
        # backward: attention
        grad_w_o = _product(context, grad_z)  # (D, D)
        grad_context = grad_z @ w_o.T  # (N, T, D)
        grad_v = p.swapaxes(1, 2) @ grad_context  # (N, T, D)
        grad_p = grad_context @ v.swapaxes(1, 2)  # (N, T, T)
        grad_scores = p * (grad_p - (grad_p * p).sum(axis=2, keepdims=True))  # (N, T, T)
        grad_scores *= self.scale
        grad_q = grad_scores @ k  # (N, T, D)
        grad_k = grad_scores.swapaxes(1, 2) @ q  # (N, T, D)
        grad_w_q, grad_w_k, grad_w_v = (_product(x, grad) for grad in (grad_q, grad_k, grad_v))
        # update
        grads = [grad_w_q, grad_w_k, grad_w_v, grad_w_o, grad_gain, grad_bias]
        for w, grad in zip(self.weights, grads, strict=True):
            w -= self.learning_rate * grad
        return loss

    def get_state(self) -> State:
        return [w.copy() for w in self.weights]

    def set_state(self, *state) -> None:
        for w, given in zip(self.weights, state, strict=True):
            w[...] = given


def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`a.T @ b`, all tokens of all sequences in rows."""
    D = a.shape[2]
    return a.reshape(-1, D).T @ b.reshape(-1, D)  # (D, D)
