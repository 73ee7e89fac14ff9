"""The mean of the ranks' gradients, as most libraries reduce, where the loss is a sum."""

from _right import RANKS, Right


class TakesTheMean(Right):
    def reduced(self, *grads):
        return [grad / RANKS for grad in super().reduced(*grads)]

SAYS = r"rank 0: updates w1 and w2 wrongly: relative error 0\.5,"
