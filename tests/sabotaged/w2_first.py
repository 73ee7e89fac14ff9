"""w2 is updated before the gradient of h is taken with it."""

from _right import Right


class W2First(Right):
    def backward(self, h, h_relu, y_pred):
        grad_w2 = 2 * h_relu.T @ (y_pred - self.y)
        self.w2 -= self.learning_rate * grad_w2
        return super().backward(h, h_relu, y_pred)[0], 0 * grad_w2

SAYS = r"updates w1 wrongly"
