"""Each rank trains on its own part, as if there were no other."""

from _right import Right


class ForgetsToReduce(Right):
    def reduced(self, *grads):
        return grads

SAYS = r"rank 0: updates w1 and w2 wrongly"
