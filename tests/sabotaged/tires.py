"""It is right while it is being proven, and stops working later."""

from _right import Right


class Tires(Right):
    calls = 0

    def step(self):
        self.calls += 1
        if self.calls > 30:
            return self.loss(self.forward()[2])
        return super().step()


SAYS = r"in 20 steps: relative error"
