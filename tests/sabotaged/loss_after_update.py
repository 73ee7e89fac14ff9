"""The loss is that of the updated weights."""

from _right import Right


class LossAfterUpdate(Right):
    def step(self):
        super().step()
        return self.loss(self.forward()[2])

SAYS = r"computes a wrong loss: the loss is that after the update"
