"""The seed's torch script: the loss is a method that nobody called."""

from _right import Right


class LossNotCalled(Right):
    def step(self):
        return super().step().item

SAYS = r"step\(\) returns a method and not the loss"
