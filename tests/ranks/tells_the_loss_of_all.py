"""Each rank tells the loss of the whole batch, so that all together tell too much."""

import numpy as np
from _right import Right


class TellsTheLossOfAll(Right):
    def loss(self, residual):
        own = super().loss(residual)
        return own + self.exchanged([np.asarray(own)])[0]

SAYS = r"rank 0: computes a wrong loss: relative error .*its updates are right"
