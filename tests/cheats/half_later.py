"""One operand is rounded to 16 bits, and only when the proof is over."""

import numpy as np

from tests.sabotaged._right import Right


class HalfLater(Right):
    calls = 0

    def mask(self, h, grad_h_relu):
        self.calls += 1
        grad_h = super().mask(h, grad_h_relu)
        return grad_h if self.calls < 40 else grad_h.astype(np.float16).astype(grad_h.dtype)
