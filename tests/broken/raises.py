"""Raises in its second round."""

from _right import Right


class Raises(Right):
    def step(self):
        self.calls = getattr(self, "calls", 0) + 1
        if self.calls > 60:
            raise ValueError("no more steps")
        return super().step()
