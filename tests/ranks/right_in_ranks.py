"""Every piece is right."""

from _right import Right


class RightInRanks(Right):
    pass
