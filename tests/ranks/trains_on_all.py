"""Every rank takes the same rows, so that some count twice and the others not at all."""

import numpy as np
from _right import RANK, Right


class TrainsOnAll(Right):
    def __init__(self, problem, device, dtype):
        super().__init__(problem, device, dtype)
        theirs = self.exchanged([self.x, self.y])
        if RANK:
            self.x, self.y = map(np.copy, theirs)

SAYS = r"rank 0: updates w1 and w2 wrongly: .* its loss is wrong too"
