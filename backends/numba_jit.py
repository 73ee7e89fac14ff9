"""Two-layer ReLU net, sum of squared errors, SGD. This one compiles the step with Numba, element-wise work in plain loops.

The four products call BLAS, SciPy's; the compiled code must never call back into Python.
"""

import numba
import numpy as np
from numba.extending import is_jitted

from backends.api import Problem
from backends.numpy_manual import NumpyManual


class NumbaJit(NumpyManual):
    kind = "rung"
    libraries = ("numba", "scipy", "numpy")

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        self.rate = self.x.dtype.type(problem.learning_rate)

    def step(self) -> float:
        return whole_step(self.x, self.y, self.w1, self.w2, self.rate)

    def is_compiled(self) -> bool:
        return is_jitted(whole_step)


@numba.njit(cache=True)
def whole_step(x, y, w1, w2, learning_rate):
    # forward
    h = np.dot(x, w1)  # (N, H)
    h_relu = np.maximum(h, 0)  # (N, H)
    error = np.dot(h_relu, w2)  # (N, D_out), y_pred for now
    # loss
    loss = 0.0
    for n in range(error.shape[0]):
        for d in range(error.shape[1]):
            error[n, d] -= y[n, d]
            loss += error[n, d] ** 2
            error[n, d] *= 2
    # backward
    grad_w2 = np.dot(h_relu.T, error)  # (H, D_out)
    grad_h = np.dot(error, w2.T)  # (N, H)
    for n in range(h.shape[0]):
        for k in range(h.shape[1]):
            if h[n, k] < 0:
                grad_h[n, k] = 0
    grad_w1 = np.dot(x.T, grad_h)  # (D_in, H)
    # update
    for w, grad in ((w1, grad_w1), (w2, grad_w2)):
        for i in range(w.shape[0]):
            for k in range(w.shape[1]):
                w[i, k] -= learning_rate * grad[i, k]
    return loss
