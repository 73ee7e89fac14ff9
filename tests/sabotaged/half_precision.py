"""The large product runs in float16."""

import numpy as np
from _right import Right


class HalfPrecision(Right):
    dtypes = ("float32",)

    def forward(self):
        x, w1 = (a.astype(np.float16).astype(np.float32) for a in (self.x, self.w1))
        h = x @ w1
        h_relu = np.maximum(h, 0)
        return h, h_relu, h_relu @ self.w2


SAYS = r"wrongly: relative error .*such an error comes from arithmetic in a lower precision than float32"
