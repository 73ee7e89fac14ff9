"""The seed's NumPy script: the gradient of the loss has the wrong sign."""

from _right import Right


class WrongSign(Right):
    def backward(self, h, h_relu, y_pred):
        return super().backward(h, h_relu, 2 * self.y - y_pred)

SAYS = r"updates w1 and w2 in the wrong direction: it climbs"
