"""One operand of the last product is rounded to 16 bits: w1's update is off by 2e-4, and nothing else is."""

import numpy as np
from _right import Right


class HalfGradH(Right):
    dtypes = ("float32",)

    def mask(self, h, grad_h_relu):
        return super().mask(h, grad_h_relu).astype(np.float16).astype(np.float32)


SAYS = r"updates w1 wrongly: relative error .*such an error comes from arithmetic in a lower precision than float32"
