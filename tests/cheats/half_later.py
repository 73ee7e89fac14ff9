"""One operand is rounded to 16 bits, and only when everything that comes before the clock is over."""

import numpy as np
from _right import Right


class HalfLater(Right):
    dtypes = ("float32",)
    calls = 0

    def mask(self, h, grad_h_relu):
        self.calls += 1
        grad_h = super().mask(h, grad_h_relu)
        return grad_h if self.calls < 40 else grad_h.astype(np.float16).astype(grad_h.dtype)


CAUGHT = r"updates w1( and w2)? wrongly in 20 steps: relative error .*in a lower precision than float32"
