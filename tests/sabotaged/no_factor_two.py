"""The factor 2 of the squared error is missing from the gradient."""

from _right import Right


class NoFactorTwo(Right):
    def update(self, grad_w1, grad_w2):
        super().update(grad_w1 / 2, grad_w2 / 2)

SAYS = r"the factor 2 of the square's derivative is missing"
