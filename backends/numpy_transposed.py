"""Two-layer ReLU net, sum of squared errors, SGD. This one keeps NumPy's buffers and weights the way the kernels like them.

State lie transposed, hidden units in rows, and the error is scaled by the learning rate while it is small. State go in
and out in the usual layout, which the step must never see.
"""

import numpy as np

from backends.api import Problem, State, TrainStep


class NumpyTransposed(TrainStep):
    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        self.x = problem.x.astype(dtype)  # (N, D_in)
        self.x_t = np.array(self.x.T, order="C")  # (D_in, N)
        self.y_t = np.array(problem.y.T, dtype, order="C")  # (D_out, N)
        self.w1_t = np.array(problem.w1.T, dtype, order="C")  # (H, D_in)
        self.w2_t = np.array(problem.w2.T, dtype, order="C")  # (D_out, H)
        self.h = self.w1_t @ self.x_t  # (H, N)
        self.h_relu, self.grad_h = np.empty_like(self.h), np.empty_like(self.h)  # (H, N)
        self.active = np.empty(self.h.shape, bool)  # (H, N)
        self.error = np.empty_like(self.y_t)  # (D_out, N)
        self.grad_w1_t, self.grad_w2_t = np.empty_like(self.w1_t), np.empty_like(self.w2_t)  # (H, D_in), (D_out, H)
        self.twice_rate = self.x.dtype.type(2 * problem.learning_rate)

    def step(self) -> np.floating:
        # forward
        np.matmul(self.w1_t, self.x_t, out=self.h)  # (H, N)
        np.maximum(self.h, 0, out=self.h_relu)  # (H, N)
        np.matmul(self.w2_t, self.h_relu, out=self.error)  # (D_out, N), y_pred for now
        # loss
        self.error -= self.y_t  # (D_out, N)
        loss = np.vdot(self.error, self.error)  # ()
        # backward, scaled by the learning rate
        self.error *= self.twice_rate  # (D_out, N)
        np.matmul(self.error, self.h_relu.T, out=self.grad_w2_t)  # (D_out, H)
        np.matmul(self.w2_t.T, self.error, out=self.grad_h)  # (H, N)
        np.greater_equal(self.h, 0, out=self.active)
        self.grad_h *= self.active
        np.matmul(self.grad_h, self.x, out=self.grad_w1_t)  # (H, D_in)
        # update
        self.w1_t -= self.grad_w1_t
        self.w2_t -= self.grad_w2_t
        return loss

    def get_state(self) -> State:
        return self.w1_t.T.copy(order="C"), self.w2_t.T.copy(order="C")

    def set_state(self, w1, w2) -> None:
        self.w1_t[:], self.w2_t[:] = w1.T, w2.T
