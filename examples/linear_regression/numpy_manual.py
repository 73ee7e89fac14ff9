"""Linear regression. This one uses NumPy and computes every gradient by hand."""

import numpy as np

from backends.api import Problem, State, TrainStep


class NumpyManual(TrainStep):
    kind = "seed"

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        self.x = problem.x.astype(dtype)  # (N, D)
        self.y = problem.y.astype(dtype)  # (N,)
        self.w = problem.w.astype(dtype)  # (D,)
        self.b = problem.b.astype(dtype)  # (1,)
        self.learning_rate = problem.learning_rate

    def step(self) -> np.floating:
        # forward
        error = self.x @ self.w + self.b - self.y  # (N,)
        # loss
        loss = (error**2).sum() / len(self.y)  # ()
        # backward
        grad_error = 2 * error / len(self.y)  # (N,)
        grad_w = self.x.T @ grad_error  # (D,)
        grad_b = grad_error.sum(keepdims=True)  # (1,)
        # update
        self.w -= self.learning_rate * grad_w
        self.b -= self.learning_rate * grad_b
        return loss

    def get_state(self) -> State:
        return self.w.copy(), self.b.copy()

    def set_state(self, w, b) -> None:
        self.w[:] = w
        self.b[:] = b
