"""The second rank has a learning rate of its own."""

from _right import Right


class OneRankDiffers(Right):
    learning_rate_of = (1.0, 1.001)

SAYS = r"rank 1: updates w1 and w2 wrongly: relative error 0\.001,"
