"""It says float64 and computes the smallest of its products in float32."""

import numpy as np
from _right import Right


class SingleProduct(Right):
    dtypes = ("float64",)

    def backward(self, h, h_relu, y_pred):
        grad_w1, _ = super().backward(h, h_relu, y_pred)
        h_relu, error = h_relu.astype(np.float32), (y_pred - self.y).astype(np.float32)
        return grad_w1, (2 * h_relu.T @ error).astype(np.float64)


SAYS = r"updates w2 wrongly: relative error .*such an error comes from arithmetic in a lower precision than float64"
