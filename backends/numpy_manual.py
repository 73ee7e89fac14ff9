"""Two-layer ReLU net, sum of squared errors, SGD. This one uses NumPy and computes every gradient by hand.

The step must never use autograd, a preallocated buffer or a second library.
"""

import numpy as np

from backends.api import Problem, State, TrainStep


class NumpyManual(TrainStep):
    kind = "seed"

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        self.x = problem.x.astype(dtype)  # (N, D_in)
        self.y = problem.y.astype(dtype)  # (N, D_out)
        self.w1 = problem.w1.astype(dtype)  # (D_in, H)
        self.w2 = problem.w2.astype(dtype)  # (H, D_out)
        self.learning_rate = problem.learning_rate

    def step(self) -> np.floating:
        # forward
        h = self.x @ self.w1  # (N, H)
        h_relu = np.maximum(h, 0)  # (N, H)
        y_pred = h_relu @ self.w2  # (N, D_out)
        # loss
        loss = ((y_pred - self.y) ** 2).sum()  # ()
        # backward
        grad_y_pred = 2.0 * (y_pred - self.y)  # (N, D_out)
        grad_w2 = h_relu.T @ grad_y_pred  # (H, D_out)
        grad_h_relu = grad_y_pred @ self.w2.T  # (N, H)
        grad_h = grad_h_relu.copy()  # (N, H)
        grad_h[h < 0] = 0
        grad_w1 = self.x.T @ grad_h  # (D_in, H)
        # update
        self.w1 -= self.learning_rate * grad_w1
        self.w2 -= self.learning_rate * grad_w2
        return loss

    def get_state(self) -> State:
        return self.w1.copy(), self.w2.copy()

    def set_state(self, w1, w2) -> None:
        self.w1[:] = w1
        self.w2[:] = w2
