"""Nobody zeroes the gradients, so that each step adds all earlier ones."""

from _right import Right


class GradientsPileUp(Right):
    sums = (0, 0)

    def update(self, grad_w1, grad_w2):
        self.sums = (self.sums[0] + grad_w1, self.sums[1] + grad_w2)
        super().update(*self.sums)

SAYS = r"updates w1 and w2 wrongly in 10 steps"
