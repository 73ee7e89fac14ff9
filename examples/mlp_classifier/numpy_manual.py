"""Classifier with one hidden layer, cross-entropy, Adam. This one uses NumPy and computes every
gradient by hand.
"""

import numpy as np

from backends.api import Problem, State, TrainStep


class NumpyManual(TrainStep):
    kind = "seed"

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        self.x = problem.x.astype(dtype)  # (N, D_in)
        self.y = problem.y.astype(dtype)  # (N, D_out)
        state = [array.astype(dtype) for array in problem.state.values()]
        self.weights, self.m, self.v, self.t = state[:4], state[4:8], state[8:12], state[12]
        self.learning_rate, self.epsilon = problem.learning_rate, problem.epsilon
        self.beta1, self.beta2 = problem.beta1, problem.beta2

    def step(self) -> np.floating:
        w1, b1, w2, b2 = self.weights
        # forward
        h = self.x @ w1 + b1  # (N, H)
        h_relu = np.maximum(h, 0)  # (N, H)
        scores = h_relu @ w2 + b2  # (N, D_out)
        # loss
        shifted = scores - scores.max(axis=1, keepdims=True)  # (N, D_out)
        log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))  # (N, D_out)
        loss = -(self.y * log_p).sum() / len(self.x)  # ()
        # backward
        grad_scores = (np.exp(log_p) - self.y) / len(self.x)  # (N, D_out)
        grad_w2 = h_relu.T @ grad_scores  # (H, D_out)
        grad_b2 = grad_scores.sum(axis=0)  # (D_out,)
        grad_h = grad_scores @ w2.T  # (N, H)
        grad_h[h < 0] = 0
        grad_w1 = self.x.T @ grad_h  # (D_in, H)
        grad_b1 = grad_h.sum(axis=0)  # (H,)
        # update
        grads = [grad_w1, grad_b1, grad_w2, grad_b2]
        self.t += 1
        for w, m, v, grad in zip(self.weights, self.m, self.v, grads, strict=True):
            m += (1 - self.beta1) * (grad - m)
            v += (1 - self.beta2) * (grad * grad - v)
            m_hat = m / (1 - self.beta1**self.t)
            v_hat = v / (1 - self.beta2**self.t)
            w -= self.learning_rate * m_hat / (np.sqrt(v_hat) + self.epsilon)
        return loss

    def get_state(self) -> State:
        return [array.copy() for array in (*self.weights, *self.m, *self.v, self.t)]

    def set_state(self, *state) -> None:
        for mine, given in zip((*self.weights, *self.m, *self.v, self.t), state, strict=True):
            mine[...] = given
