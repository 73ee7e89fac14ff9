"""Only the second layer learns."""

from _right import Right


class FrozenW1(Right):
    def update(self, grad_w1, grad_w2):
        self.w2 -= self.learning_rate * grad_w2

SAYS = r"never updates w1: relative error of w1 1"
