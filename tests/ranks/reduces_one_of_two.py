"""The gradient of w2 stays at home."""

from _right import Right


class ReducesOneOfTwo(Right):
    def reduced(self, grad_w1, grad_w2):
        grad_w1, _ = super().reduced(grad_w1, grad_w2)
        return grad_w1, grad_w2

SAYS = r"rank 0: updates w2 wrongly"
