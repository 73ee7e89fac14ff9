"""The second rank raises while the first waits for it."""

from _right import RANK, Right


class RaisesInARank(Right):
    def reduced(self, *grads):
        if RANK:
            raise RuntimeError("out of luck")
        return super().reduced(*grads)

SAYS = r"rank 1: raised RuntimeError: out of luck at raises_in_a_rank.py:\d+"
