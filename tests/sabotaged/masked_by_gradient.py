"""The seed's scripts: the ReLU is masked by the sign of the gradient, not of its input."""

from _right import Right


class MaskedByGradient(Right):
    def mask(self, h, grad_h_relu):
        return grad_h_relu * (grad_h_relu >= 0)

SAYS = r"updates w1 wrongly: the mask is taken from the gradient's sign"
