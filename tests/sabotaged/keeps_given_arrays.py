"""set_state keeps the caller's arrays instead of copying them."""

from _right import Right


class KeepsGivenArrays(Right):
    def set_state(self, w1, w2):
        self.w1, self.w2 = w1, w2


SAYS = r"in 10 steps: relative error of w1 inf"
