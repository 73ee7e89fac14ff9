"""get_state hands out what the step trains."""

from _right import Right


class HandsOutOwnArrays(Right):
    def get_state(self):
        return self.w1, self.w2


SAYS = r"hands out its own arrays instead of copies"
