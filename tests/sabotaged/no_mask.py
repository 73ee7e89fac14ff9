"""The ReLU has no backward pass."""

from _right import Right


class NoMask(Right):
    def mask(self, h, grad_h_relu):
        return grad_h_relu

SAYS = r"updates w1 wrongly: the ReLU's mask is missing"
