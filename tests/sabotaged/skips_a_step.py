"""It says that a call does ten steps, and does nine."""

from _right import Right


class SkipsAStep(Right):
    steps_per_call = 10

    def step(self):
        for _ in range(self.steps_per_call - 1):
            loss = super().step()
        return loss


SAYS = r"updates w1 and w2 wrongly in 10 steps: relative error"
