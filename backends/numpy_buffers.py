"""Two-layer ReLU net, sum of squared errors, SGD. This one uses NumPy and writes every result into memory it keeps.

The step must never allocate an array: the two weights and eight buffers are all there is.
"""

import numpy as np

from backends.api import Problem
from backends.numpy_manual import NumpyManual


class NumpyBuffers(NumpyManual):
    kind = "rung"

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        self.h = self.x @ self.w1  # (N, H)
        self.h_relu, self.grad_h = np.empty_like(self.h), np.empty_like(self.h)  # (N, H)
        self.active = np.empty(self.h.shape, bool)  # (N, H)
        self.grad_y_pred, self.squares = np.empty_like(self.y), np.empty_like(self.y)  # (N, D_out)
        self.grad_w1, self.grad_w2 = np.empty_like(self.w1), np.empty_like(self.w2)  # (D_in, H), (H, D_out)

    def step(self) -> np.floating:
        # forward
        np.matmul(self.x, self.w1, out=self.h)  # (N, H)
        np.maximum(self.h, 0, out=self.h_relu)  # (N, H)
        np.matmul(self.h_relu, self.w2, out=self.grad_y_pred)  # (N, D_out), y_pred for now
        # loss
        self.grad_y_pred -= self.y
        np.square(self.grad_y_pred, out=self.squares)
        loss = self.squares.sum()  # ()
        # backward
        self.grad_y_pred *= 2.0  # (N, D_out)
        np.matmul(self.h_relu.T, self.grad_y_pred, out=self.grad_w2)  # (H, D_out)
        np.matmul(self.grad_y_pred, self.w2.T, out=self.grad_h)  # (N, H)
        np.greater_equal(self.h, 0, out=self.active)
        self.grad_h *= self.active
        np.matmul(self.x.T, self.grad_h, out=self.grad_w1)  # (D_in, H)
        # update
        self.grad_w1 *= self.learning_rate
        self.grad_w2 *= self.learning_rate
        self.w1 -= self.grad_w1
        self.w2 -= self.grad_w2
        return loss
