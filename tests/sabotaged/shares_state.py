"""State live in the class."""

from _right import Right


class SharesState(Right):
    shared = None

    def __init__(self, problem, device, dtype):
        super().__init__(problem, device, dtype)
        SharesState.shared = self.w2

    def step(self):
        self.w2 = SharesState.shared if SharesState.shared.shape == self.w2.shape else self.w2
        return super().step()


SAYS = r"shares state between two instances"
